"""Step 10, monitoring: judges the live traffic and the outcomes of each version."""

from modelcycle.aws import adapters
from modelcycle.messages import LookEnd, MonitorRequest
from modelcycle.monitor import monitor
from modelcycle.observability import Metric, observed


@observed(
    "monitor",
    MonitorRequest.from_event,
    log=["state", "windows"],
    metrics=[Metric("RowsMonitored", "rows"), Metric("DegradedModels", "degraded")],
)
def handler(request: MonitorRequest) -> LookEnd:
    aws = adapters()
    watched = monitor(
        request, data=aws.data, artifacts=aws.artifacts, registry=aws.registry, logs=aws.predict_log,
        metrics=aws.metrics, training_code=aws.environment.training_code,
    )  # fmt: skip
    return watched.end()
