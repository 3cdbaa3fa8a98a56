"""Batch scoring: reads an uploaded file and writes its rows as typed shards."""

from aws_lambda_powertools.metrics import MetricUnit

from modelcycle.aws import adapters
from modelcycle.messages import PlannedScoring, PlanScoringRequest
from modelcycle.observability import Metric, observed
from modelcycle.score_batch.plan_scoring import plan_scoring


@observed(
    "plan_scoring",
    PlanScoringRequest.from_event,
    log=["job", "version", "rows", "unread", "unread_cells", "skipped"],
    metrics=[Metric("RowsToScore", "rows", MetricUnit.Count), Metric("RowsNotScored", "unread", MetricUnit.Count)],
)
def handler(request: PlanScoringRequest) -> PlannedScoring:
    aws = adapters()
    return plan_scoring(
        request, data=aws.data, artifacts=aws.artifacts, registry=aws.registry, keys=aws.keys, code=aws.code
    )
