"""Step 7, testing in staging: answers as Predict does, by a version that need not be live. Only Stage may call it."""

# ruff: noqa: E402
import gc

gc.disable()  # as in Predict: until the first answer

import functools
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayRestResolver
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters
from modelcycle.predict import candidate_api, http_api, open_inference_paths
from modelcycle.predict.environment_figures import EnvironmentFigures
from modelcycle.predict.registered_versions import RegisteredVersions

TIMEOUTS = {"connect_timeout": 1, "read_timeout": 2}  # seconds, as in Predict

logger = Logger(service="predict")
app = APIGatewayRestResolver()
app.include_router(http_api.router)
app.include_router(open_inference_paths.router)
app.include_router(candidate_api.router)
figures = EnvironmentFigures()


@functools.cache
def versions() -> RegisteredVersions:
    aws = adapters(**TIMEOUTS)
    return RegisteredVersions(aws.registry, aws.artifacts, aws.keys)


@logger.inject_lambda_context(clear_state=True, correlation_id_path="requestContext.requestId")
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    try:
        version = candidate_api.version_in(event)
        app.context.update(live_models=lambda: versions().as_live(version), recorder=candidate_api.NoRecorder())
        with figures.call():
            response = app.resolve(event, context)
        http_api.metrics.clear_metrics()  # they are of live traffic
        # Predict logs its line after the answer, too; without one, the local cloud waits 50 ms for it
        logger.info("answered", extra={"status": response["statusCode"]})
        return response | {"environment": figures.told()}
    finally:
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
