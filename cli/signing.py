"""Signed HTTP requests to the API: all its paths require IAM authorization."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

from cli.console import CHECK_PLACE
from cli.place import Place
from modelcycle.faults import BadRequest, Fault, NotAllowed, Throttled, Transient, Unknown

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse

TIMEOUT = 30  # seconds; API Gateway itself waits 29 s for a function


def call(place: Place, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """Send a request and return the JSON object that the API answers.

    Raises
    ------
    Unknown, NotAllowed, BadRequest, Throttled, Transient, Fault : with the API's own message
    """
    data = None if body is None else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    url = f"{place.api_url}{path}"
    response = send(place, method, path, data, {"content-type": "application/json"} if data is not None else {})
    try:
        content = json.loads(response.content)
    except ValueError:
        content = None
    if 200 <= response.status_code < 300 and isinstance(content, dict):
        return content
    raise _fault(response.status_code, content if isinstance(content, dict) else {}, url)


def send(place: Place, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> AWSResponse:
    """Sign a request and send it; return the response, whatever its status, with the body as it came.

    Raises
    ------
    Transient : the API does not answer
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    from botocore.exceptions import ConnectionError as Unreachable
    from botocore.exceptions import HTTPClientError
    from botocore.httpsession import URLLib3Session

    url = f"{place.api_url}{path}"
    request = AWSRequest(method=method, url=url, data=data, headers=headers)
    keys = place.credentials
    SigV4Auth(Credentials(keys.access_key, keys.secret_key, keys.token), "execute-api", place.region).add_auth(request)
    try:
        return URLLib3Session(timeout=TIMEOUT).send(request.prepare())
    except (Unreachable, HTTPClientError) as error:
        raise Transient(f"the API does not answer: {type(error).__name__}", url, CHECK_PLACE) from error


def curl(place: Place, path: str, body: Any) -> str:
    """Return a shell command that sends the request. For AWS it reads the keys from the environment."""
    keys = place.credentials
    user = '"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"'
    token = ['-H "x-amz-security-token: $AWS_SESSION_TOKEN"'] if keys.token else []
    if place.name != "aws":
        user, token = shlex.quote(f"{keys.access_key}:{keys.secret_key}"), []
    return " ".join([
        f'curl --aws-sigv4 "aws:amz:{place.region}:execute-api" --user {user}', *token,
        "-H 'content-type: application/json' \\\n       ", "-d", shlex.quote(json.dumps(body, ensure_ascii=False)),
        "\\\n       ", shlex.quote(place.api_url + path),
    ])  # fmt: skip


def _fault(status: int, problem: dict[str, Any], url: str) -> Fault:
    """Return the fault for an error response: a problem document (RFC 9457), or a message of API Gateway itself."""
    detail = problem.get("detail") or problem.get("message") or problem.get("Message") or problem.get("title")
    what = str(detail or f"the API answered {status}")
    request = str(problem.get("instance") or "").rpartition(":")[2]  # urn:modelcycle:request:ID
    where = str(problem.get("where") or (f"{url}, request {request}" if request else url))
    remedy = str(problem.get("remedy") or "")
    if status == 404:
        return Unknown(what, where, remedy or "`modelcycle models` lists the models")
    if status == 409:
        return NotAllowed(what, where, remedy or "`modelcycle show MODEL` lists each version with its state")
    if status in (401, 403):
        return Fault(what, where, remedy or "you need the permission execute-api:Invoke on this path")
    if status in (400, 413, 415, 422):
        errors = [
            field
            for field in problem.get("errors", [])
            if isinstance(field, dict) and {"pointer", "detail"} <= field.keys()
        ]
        return BadRequest(what, where, remedy or "GET /v2/models/NAME lists the model's columns", errors)
    if status == 429:
        return Throttled(what, where, "try again later")
    if "type" not in problem:  # a message of API Gateway: the function ended without an answer
        what = f"the API answered {status}: its function failed"
    return Transient(what, where, remedy or f"the function's log has the reason; {CHECK_PLACE}")
