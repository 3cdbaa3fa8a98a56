"""What `Candidate` has in place of Predict's API: rows by a version, and a recorder that records nothing."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayRouter

from modelcycle.gateway.request_body import request_json
from modelcycle.model.request import parse_request
from modelcycle.predict.changed_answer import changed_answer, read_question
from modelcycle.predict.explanations import explanations
from modelcycle.predict.http_api import answer_response, current_request
from modelcycle.predict.predict import predict

router = APIGatewayRouter()  # type: ignore[no-untyped-call]


@router.post("/models/<name>/versions/<version>/predict")
def predict_rows_by_version(name: str, version: str) -> Response[str]:
    request = current_request()
    rows = parse_request(request_json(request.event, request.headers))
    # the only live version is the one that the path names, see `RegisteredVersions.as_live`
    answer = predict(name, rows, live_models=request.live_models(), key=request.key)
    return answer_response(request, answer, answer.wire())


@router.post("/models/<name>/versions/<version>/explain")
def explain_answer_of_version(name: str, version: str) -> Response[str]:
    request = current_request()
    instance, values, to = read_question(parse_request(request_json(request.event, request.headers)))
    answer = predict(name, {"instances": [instance]}, live_models=request.live_models(), key=request.key)
    loaded = answer.loaded[answer.versions[0]]
    content = {
        "model": name, "version": loaded.version, "prediction": answer.predictions[0],
        "explanation": explanations(answer)[0], "nearest": changed_answer(loaded, answer.instances[0], values, to),
    }  # fmt: skip
    return answer_response(request, answer, content)


class NoRecorder:
    """Captures nothing: no client asked."""

    def record(self, *answer: Any) -> None:
        pass


def version_in(event: dict[str, Any]) -> str:
    """Return the version that the path of a request names; empty if it names none."""
    return str((event.get("pathParameters") or {}).get("version") or "")
