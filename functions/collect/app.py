"""Step 1, data collection: uploads become one snapshot."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from modelcycle.aws import cloud
from modelcycle.collect import collect
from modelcycle.messages import CollectRequest

logger = Logger(service="collect")
metrics = Metrics(namespace="ModelCycle", service="collect")


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    request = CollectRequest.read(event)
    logger.append_keys(step="collect", model=request.run.model, run_id=request.run.run_id)
    logger.set_correlation_id(request.run.run_id)
    place = cloud()
    result = collect(
        request,
        data=place.data,
        artifacts=place.artifacts,
        runs=place.registry.runs,
        code=place.environment.code_version,
    )
    metrics.add_metric("RowsCollected", MetricUnit.Count, result.rows)
    metrics.add_metric("LinesQuarantined", MetricUnit.Count, result.quarantined)
    logger.info("collected", extra=result.model_dump(include={"objects", "bytes", "rows", "quarantined", "cached"}))
    return result.wire()
