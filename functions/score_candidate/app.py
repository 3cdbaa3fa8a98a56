"""Scores by the serving code, once ONNX and scikit-learn agree."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.messages import ScoreCandidateRequest
from modelcycle.score_candidate import score_candidate

logger = Logger(service="score_candidate")


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    request = ScoreCandidateRequest.read(event)
    logger.append_keys(step="score_candidate", model=request.run.model)
    logger.set_correlation_id(request.run.run_id)
    here = cloud()
    result = score_candidate(
        request, artifacts=here.artifacts, registry=here.registry, code=here.environment.code_version
    )
    logger.info(
        "scored",
        extra={
            "cached": result.cached,
            "rows": result.rows,
            "max_difference": result.max_difference,
            "flips": result.flips,
            "champion": result.champion,
        },
    )
    return result.wire()
