"""Judges a candidate by its scores of the test rows."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.messages import ValidateRequest
from modelcycle.validate import validate

logger = Logger(service="validate")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = ValidateRequest.read(event)
    logger.append_keys(step="validate", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    here = cloud()
    result = validate(request, artifacts=here.artifacts, registry=here.registry, code=here.environment.code_version)
    logger.info("validated", extra={"cached": result.cached, "verdict": result.verdict, "metrics": result.metrics})
    return result.wire()
