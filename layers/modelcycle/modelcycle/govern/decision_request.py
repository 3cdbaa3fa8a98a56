"""A person's decision as it comes over HTTP, read so that each wrong field is named."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from pydantic import ValidationError

from modelcycle.faults import BadRequest
from modelcycle.messages import Decision
from modelcycle.problems import body_text

MAX_CLOCK_DIFFERENCE = timedelta(minutes=1)  # between a person's machine and AWS; an older `asked_at` is not trusted
FIELDS = {
    "decision": "one of approve, reject, rollback, promote is expected",
    "version": "a whole number is expected",
    "why": "a text of at most 1,000 characters is expected",
    "asked_at": "a time with its zone is expected (RFC 3339)",
}


def read_decision(event: APIGatewayProxyEvent, model: str) -> Decision:
    """Read the decision in a request; the model comes from the path, the person from the signature.

    Raises
    ------
    BadRequest : names every wrong field by JSON pointer (RFC 6901)
    """
    context = event.request_context
    received = datetime.fromtimestamp(context.request_time_epoch / 1000, UTC)
    return parse_decision(body_text(event), model, context.identity.user_arn or "unknown", received)


def parse_decision(text: str | None, model: str, by: str, received: datetime) -> Decision:
    """Parse the body of a request.

    Parameters
    ----------
    received : when the request came; the person asked then, or at `asked_at` of the body, at most a minute before

    Raises
    ------
    BadRequest : names every wrong field by JSON pointer (RFC 6901)
    """
    try:
        body: Any = json.loads(text or "")
    except (ValueError, RecursionError):
        raise BadRequest("the body is not JSON", "", _REMEDY) from None
    if not isinstance(body, dict):
        raise BadRequest("an object is expected", "", _REMEDY, [{"pointer": "", "detail": "an object is expected"}])
    wrong = {name: f"no such field; {', '.join(FIELDS)} are known" for name in body if name not in FIELDS}
    if isinstance(body.get("version"), bool | str):  # pydantic would read them as numbers
        wrong["version"] = FIELDS["version"]
    if not isinstance(body.get("asked_at"), str | None):  # likewise numbers as times
        wrong["asked_at"] = FIELDS["asked_at"]
    try:
        decision = Decision.model_validate(
            {name: body[name] for name in FIELDS if name in body} | {"model": model, "by": by}
        )
    except ValidationError as problems:
        wrong |= {name: FIELDS[name] for name in (str(problem["loc"][0]) for problem in problems.errors())}
    else:
        if decision.version is None and decision.decision != "rollback":
            wrong["version"] = FIELDS["version"]
        if not wrong:
            return decision.model_copy(update={"asked_at": _asked(decision.asked_at, received)})
    errors = [
        {"pointer": "/" + name.replace("~", "~0").replace("/", "~1"), "detail": detail}
        for name, detail in wrong.items()
    ]
    raise BadRequest(f"{errors[0]['pointer']}: {errors[0]['detail']}", "", _REMEDY, errors)


def _asked(asked_at: datetime | None, received: datetime) -> datetime:
    if asked_at is None:
        return received
    return min(max(asked_at, received - MAX_CLOCK_DIFFERENCE), received)


_REMEDY = 'send {"decision": "approve", "version": 4, "why": "..."}'
