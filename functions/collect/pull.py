"""Lands what is new in a model's sources: before `collect` in a run, or when a person asks."""

from modelcycle.aws import adapters
from modelcycle.collect import PullEvent, pull
from modelcycle.messages import Pulled
from modelcycle.observability import Metric, observed


@observed("pull", PullEvent.from_event, log=["rows", "detail"], metrics=[Metric("RowsPulled", "rows")])
def handler(request: PullEvent) -> Pulled:
    aws = adapters()
    pipeline = request.pipeline(data=aws.data, artifacts=aws.artifacts)
    return pull(pipeline, data=aws.data, buckets=aws.bucket, landings=aws.registry.landings, secrets=aws.secret)
