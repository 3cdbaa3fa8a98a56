"""Step 10, monitoring: live traffic held against the training rows."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from modelcycle.aws import cloud
from modelcycle.messages import MonitorRequest
from modelcycle.monitor import monitor

logger = Logger(service="monitor")
metrics = Metrics(namespace="ModelCycle", service="monitor")


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    request = MonitorRequest.read(event)
    logger.append_keys(step="monitor", model=request.model)
    logger.set_correlation_id(context.aws_request_id)
    place = cloud()
    result = monitor(request, data=place.data, artifacts=place.artifacts, registry=place.registry)
    metrics.add_metric("RowsMonitored", MetricUnit.Count, result.rows)
    metrics.add_metric("DegradedModels", MetricUnit.Count, int(result.degraded))
    logger.info(
        "monitored",
        extra={"version": result.version, "state": result.state, "rows": result.rows, "drifted": len(result.drifted)},
    )
    return result.wire()
