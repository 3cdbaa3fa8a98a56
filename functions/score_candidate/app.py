"""Step 5, validation: scores the test rows by the serving code, once ONNX and scikit-learn agree."""

from modelcycle.aws import adapters
from modelcycle.messages import ScoreCandidateRequest, ScoredCandidate
from modelcycle.observability import observed
from modelcycle.score_candidate import score_candidate


@observed(
    "score_candidate", ScoreCandidateRequest.from_event, log=["rows", "max_difference", "flips", "champion", "cached"]
)
def handler(request: ScoreCandidateRequest) -> ScoredCandidate:
    aws = adapters()
    return score_candidate(
        request, artifacts=aws.artifacts, registry=aws.registry, code=aws.code, workplace=aws.workplace
    )
