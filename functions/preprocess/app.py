"""Step 2, preprocessing: texts become typed, split rows."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from modelcycle.aws import cloud
from modelcycle.messages import PreprocessRequest
from modelcycle.preprocess import preprocess

logger = Logger(service="preprocess")
metrics = Metrics(namespace="ModelCycle", service="preprocess")


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    request = PreprocessRequest.read(event)
    logger.append_keys(step="preprocess", model=request.run.model, run_id=request.run.run_id)
    logger.set_correlation_id(request.run.run_id)
    place = cloud()
    result = preprocess(
        request, artifacts=place.artifacts, runs=place.registry.runs, code=place.environment.code_version
    )
    metrics.add_metric("RowsKept", MetricUnit.Count, result.kept)
    metrics.add_metric("RowsQuarantined", MetricUnit.Count, result.quarantined)
    logger.info("preprocessed", extra=result.model_dump(include={"task", "rows", "kept", "quarantined", "duplicates"}))
    return result.wire()
