"""Decides how each column enters the model, and proves that such a model can be served."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.engineer_features import engineer_features
from modelcycle.messages import EngineerFeaturesRequest

logger = Logger(service="engineer_features")
metrics = Metrics(namespace="ModelCycle", service="engineer_features")


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = EngineerFeaturesRequest.read(event)
    logger.append_keys(step="engineer_features", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    here = cloud()
    result = engineer_features(
        request, artifacts=here.artifacts, runs=here.registry.runs, code=here.environment.code_version
    )
    metrics.add_metric("ColumnsUsed", MetricUnit.Count, result.used)
    logger.info("engineered", extra={"cached": result.cached, "used": result.used, "columns": result.columns})
    return result.wire()
