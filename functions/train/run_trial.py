"""Step 4, training: fits one trial and measures it on the validation rows."""

from aws_lambda_powertools.metrics import MetricUnit

from modelcycle.aws import adapters
from modelcycle.messages import RunTrialRequest, TrialResult
from modelcycle.observability import Metric, observed
from modelcycle.train import run_trial


@observed(
    "run_trial",
    RunTrialRequest.from_event,
    log=["trial", "loss", "seconds", "cached"],
    metrics=[Metric("TrialSeconds", "seconds", MetricUnit.Seconds)],
)
def handler(request: RunTrialRequest) -> TrialResult:
    aws = adapters()
    return run_trial(
        request, artifacts=aws.artifacts, results=aws.registry.results, code=aws.code, workplace=aws.workplace
    )
