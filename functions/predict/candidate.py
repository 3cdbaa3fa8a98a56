"""Step 7, testing in staging: answers as Predict does, by a version that need not be live. Only Stage may call it."""

import functools
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters
from modelcycle.predict.candidate_api import router
from modelcycle.predict.environment_figures import EnvironmentFigures
from modelcycle.predict.registered_versions import RegisteredVersions

TIMEOUTS = {"connect_timeout": 1, "read_timeout": 2}  # seconds, as in Predict

logger = Logger(service="predict")
app = APIGatewayRestResolver()
app.include_router(router)
figures = EnvironmentFigures()


@functools.cache
def versions() -> RegisteredVersions:
    aws = adapters(**TIMEOUTS)
    return RegisteredVersions(aws.registry, aws.artifacts)


@logger.inject_lambda_context(clear_state=True, correlation_id_path="requestContext.requestId")
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    app.context.update(versions=versions)
    with figures.call():
        response = app.resolve(event, context)
    return response | {"environment": figures.told()}
