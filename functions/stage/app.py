"""Step 7, testing in staging: rehearses a registered version, and puts the function that serves it under load."""

from modelcycle.aws import adapters
from modelcycle.messages import Staged, StageRequest
from modelcycle.observability import observed
from modelcycle.stage import Places, stage

LOG = [
    "verdict", "rows", "p50_ms", "p99_ms", "differences", "rows_per_second", "own_p99_ms", "memory_mb", "cold_start_ms",
    "replayed", "disagreements",
]  # fmt: skip


@observed("stage", StageRequest.from_event, log=LOG)
def handler(request: StageRequest) -> Staged:
    aws = adapters()
    always = aws.environment.approval == "always"
    places = Places(
        aws.artifacts, aws.data, aws.registry, aws.candidate, aws.keys, aws.code, approval=always,
        policies=aws.policies,
    )  # fmt: skip
    return stage(request, places)
