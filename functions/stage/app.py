"""Rehearses a registered version through the serving code."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.messages import StageRequest
from modelcycle.stage import stage

logger = Logger(service="stage")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = StageRequest.read(event)
    logger.append_keys(step="stage", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    here = cloud()
    result = stage(request, artifacts=here.artifacts, registry=here.registry)
    logger.info(
        "staged",
        extra={
            "version": request.register_.version,
            "verdict": result.verdict,
            "rows": result.rows,
            "p50_ms": result.p50_ms,
            "p99_ms": result.p99_ms,
            "differences": result.differences,
        },
    )
    return result.wire()
