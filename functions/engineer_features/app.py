"""Step 3, feature engineering: plans how each column enters the model, and checks that such a model can be exported."""

from modelcycle.aws import adapters
from modelcycle.engineer_features import engineer_features
from modelcycle.messages import EngineeredFeatures, EngineerFeaturesRequest
from modelcycle.observability import Metric, observed


@observed(
    "engineer_features",
    EngineerFeaturesRequest.from_event,
    log=["used", "columns", "cached"],
    metrics=[Metric("ColumnsUsed", "used")],
)
def handler(request: EngineerFeaturesRequest) -> EngineeredFeatures:
    aws = adapters()
    return engineer_features(
        request, artifacts=aws.artifacts, results=aws.registry.results, code=aws.code, workplace=aws.workplace
    )
