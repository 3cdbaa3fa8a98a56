"""Lands what is new in a model's sources, and labelled live requests: before `collect` in a run, or when asked."""

from datetime import UTC, datetime

from modelcycle.aws import adapters
from modelcycle.collect import PullEvent, pull, pull_traffic
from modelcycle.messages import Pulled
from modelcycle.observability import Metric, observed


@observed("pull", PullEvent.from_event, log=["rows", "detail"], metrics=[Metric("RowsPulled", "rows")])
def handler(request: PullEvent) -> Pulled:
    aws = adapters()
    pipeline = request.pipeline(data=aws.data, artifacts=aws.artifacts)
    pulled = pull(pipeline, data=aws.data, buckets=aws.bucket, landings=aws.registry.landings, secrets=aws.secret)
    traffic = pull_traffic(
        pipeline,
        data=aws.data,
        artifacts=aws.artifacts,
        registry=aws.registry,
        now=datetime.now(UTC),
        keys=aws.keys,
    )
    return pulled.joined_by(traffic.files, traffic.notes)
