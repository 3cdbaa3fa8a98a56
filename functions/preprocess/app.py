"""Step 2, preprocessing: text columns become typed, split rows."""

from modelcycle.aws import adapters
from modelcycle.messages import Preprocessed, PreprocessRequest
from modelcycle.observability import Metric, observed
from modelcycle.preprocess import preprocess


@observed(
    "preprocess",
    PreprocessRequest.from_event,
    log=["task", "rows", "kept", "quarantined", "duplicates", "cached"],
    metrics=[Metric("RowsKept", "kept"), Metric("RowsQuarantined", "quarantined")],
)
def handler(request: PreprocessRequest) -> Preprocessed:
    aws = adapters()
    return preprocess(
        request, artifacts=aws.artifacts, results=aws.registry.results, code=aws.code, workplace=aws.workplace
    )
