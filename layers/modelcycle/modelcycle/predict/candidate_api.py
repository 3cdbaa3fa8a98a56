"""What `Candidate` has in place of Predict's API: rows by a version, and a recorder that records nothing."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from modelcycle.model.request import parse_request
from modelcycle.predict.http_api import answer_response, live_models, request_key
from modelcycle.predict.predict import predict_by
from modelcycle.predict.request_body import request_json

router = APIGatewayRouter()  # type: ignore[no-untyped-call]


@router.post("/models/<name>/versions/<version>/predict")
def predict_rows_by_version(name: str, version: str) -> Response[str]:
    request = parse_request(request_json(router.current_event))
    answer = predict_by(live_models().get(name), request, request_key(), version)
    return answer_response(answer, answer.wire())


class NoRecorder:
    """Neither captures nor logs an answer: Predict does that after it has answered, and nobody asked this one."""

    def record(self, *answer: Any) -> None:
        pass


def version_in(event: dict[str, Any]) -> str:
    """Return the version that the path of a request names; empty if it names none."""
    return str((event.get("pathParameters") or {}).get("version") or "")
