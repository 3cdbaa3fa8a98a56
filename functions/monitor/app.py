"""Step 10, monitoring: compares live traffic with the training data."""

from modelcycle.aws import adapters
from modelcycle.messages import Monitored, MonitorRequest
from modelcycle.monitor import monitor
from modelcycle.observability import Metric, observed


@observed(
    "monitor",
    MonitorRequest.from_event,
    log=["version", "state", "rows", "drifted"],
    metrics=[Metric("RowsMonitored", "rows"), Metric("DegradedModels", "degraded")],
)
def handler(request: MonitorRequest) -> Monitored:
    aws = adapters()
    return monitor(request, data=aws.data, artifacts=aws.artifacts, registry=aws.registry)
