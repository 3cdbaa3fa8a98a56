"""The path of the function `Candidate`: rows answered by a registered version, which need not be live.

Nothing is captured and no metric is counted: the requests are those of the load test.
"""

from __future__ import annotations

import json

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from modelcycle.faults import Fault, Unknown
from modelcycle.model.answer import answer
from modelcycle.model.request import parse_request
from modelcycle.predict import http_api
from modelcycle.predict.registered_versions import RegisteredVersions
from modelcycle.problems import body_text
from modelcycle.registry import Route

router = APIGatewayRouter()  # type: ignore[no-untyped-call]


@router.post("/models/<name>/versions/<version>/predict")
def predict_by_version(name: str, version: str) -> Response[str]:
    request = parse_request(body_text(router.current_event))
    if not (version.isascii() and version.isdigit()):
        raise Unknown(f"{version!r} is not the number of a version", name, f"`modelcycle show {name}` lists them")
    versions: RegisteredVersions = router.context["versions"]()
    loaded = versions.get(name, int(version))
    key = router.current_event.request_context.request_id or ""
    answered = answer(request, Route(weights={loaded.version: 100}), {loaded.version: loaded}, key)
    body = json.dumps(answered.wire(), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    http_api.logger.info("answered", extra={"model": name, "version": loaded.version, "rows": len(answered.ids)})
    return Response(200, "application/json", body)


router.exception_handler(Fault)(http_api.fault_response)
router.exception_handler(NotFoundError)(http_api.unknown_path_response)
router.exception_handler(Exception)(http_api.error_response)
