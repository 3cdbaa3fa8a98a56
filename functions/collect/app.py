"""Step 1, data collection: uploads become one snapshot."""

from modelcycle.aws import adapters
from modelcycle.collect import collect
from modelcycle.messages import Collected, CollectRequest
from modelcycle.observability import Metric, observed


@observed(
    "collect",
    CollectRequest.from_event,
    log=["objects", "bytes", "rows", "quarantined", "cached"],
    metrics=[Metric("RowsCollected", "rows"), Metric("LinesQuarantined", "quarantined")],
)
def handler(request: CollectRequest) -> Collected:
    aws = adapters()
    leases, results = aws.registry.leases, aws.registry.results
    return collect(
        request, data=aws.data, artifacts=aws.artifacts, leases=leases, results=results, code=aws.code,
        registry=aws.registry, workplace=aws.workplace, keys=aws.keys,
    )  # fmt: skip
