"""Batch scoring: writes the results beside the file, or the reason why there are none."""

from typing import Any

from modelcycle.aws import adapters
from modelcycle.messages import FailedScoring, FinishedScoring, FinishScoringRequest, ScoringFailure
from modelcycle.observability import observed
from modelcycle.score_batch.finish_scoring import finish_scoring, record_failure


def request_of(event: Any) -> FinishScoringRequest | ScoringFailure:
    is_failure = isinstance(event, dict) and ("error" in event or "detail-type" in event)
    return ScoringFailure.from_event(event) if is_failure else FinishScoringRequest.from_event(event)


@observed("finish_scoring", request_of, log=["job", "version", "rows", "unread", "reason", "record"])
def handler(request: FinishScoringRequest | ScoringFailure) -> FinishedScoring | FailedScoring:
    aws = adapters()
    if isinstance(request, ScoringFailure):
        return record_failure(request, data=aws.data)
    return finish_scoring(request, data=aws.data, artifacts=aws.artifacts, registry=aws.registry, code=aws.code)
