"""Refits the best trial and writes it down as ONNX and skops."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.messages import SelectModelRequest
from modelcycle.train import select_model

logger = Logger(service="select_model")
metrics = Metrics(namespace="ModelCycle", service="select_model")


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = SelectModelRequest.read(event)
    logger.append_keys(step="select_model", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    here = cloud()
    result = select_model(
        request, artifacts=here.artifacts, runs=here.registry.runs, code=here.environment.code_version
    )
    metrics.add_metric("ModelBytes", MetricUnit.Bytes, result.onnx.bytes)
    figures = {"trial": result.best.number, "algorithm": result.best.algorithm, "loss": result.loss}
    logger.info("selected", extra=figures | {"cached": result.cached, "trials": result.trials})
    return result.wire()
