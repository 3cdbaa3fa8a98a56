"""Fits one trial and judges it on the validation rows."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.messages import RunTrialRequest
from modelcycle.train import run_trial

logger = Logger(service="run_trial")
metrics = Metrics(namespace="ModelCycle", service="run_trial")


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = RunTrialRequest.read(event)
    logger.append_keys(step="run_trial", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    here = cloud()
    result = run_trial(request, artifacts=here.artifacts, runs=here.registry.runs, code=here.environment.code_version)
    metrics.add_metric("TrialSeconds", MetricUnit.Seconds, result.seconds)
    figures = {"trial": result.trial.number, "algorithm": result.trial.algorithm, "loss": result.loss}
    logger.info("tried", extra=figures | {"cached": result.cached, "seconds": result.seconds})
    return result.wire()
