"""Step 4, training: refits the best trial and writes it as ONNX and skops."""

from aws_lambda_powertools.metrics import MetricUnit

from modelcycle.aws import adapters
from modelcycle.messages import SelectedModel, SelectModelRequest
from modelcycle.observability import Metric, observed
from modelcycle.train import select_model


@observed(
    "select_model",
    SelectModelRequest.from_event,
    log=["best", "loss", "trials", "cached"],
    metrics=[Metric("ModelBytes", "onnx.bytes", MetricUnit.Bytes)],
)
def handler(request: SelectModelRequest) -> SelectedModel:
    aws = adapters()
    return select_model(
        request, artifacts=aws.artifacts, results=aws.registry.results, code=aws.code, workplace=aws.workplace
    )
