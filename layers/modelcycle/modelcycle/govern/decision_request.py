"""A person's decision as an HTTP request; errors name each wrong field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from pydantic import ValidationError

from modelcycle.faults import BadRequest
from modelcycle.json_pointer import json_pointer
from modelcycle.messages import Decision
from modelcycle.problems import body_text, json_object

MAX_CLOCK_DIFFERENCE = timedelta(minutes=1)  # between a person's machine and AWS; an older `asked_at` is not trusted
FIELDS = {
    "decision": "one of approve, reject, rollback, promote is expected",
    "version": "a whole number is expected",
    "why": "a text of at most 1,000 characters is expected",
    "asked_at": "a time with its zone is expected (RFC 3339)",
}
REMEDY = 'send {"decision": "approve", "version": 4, "why": "..."}'


def read_decision(event: APIGatewayProxyEvent, model: str) -> Decision:
    """Read the decision in a request. The model comes from the path, the person from the signature.

    Raises
    ------
    BadRequest : names every wrong field by JSON pointer (RFC 6901)
    """
    context = event.request_context
    received_at = datetime.fromtimestamp(context.request_time_epoch / 1000, UTC)
    return parse_decision(body_text(event), model, context.identity.user_arn or "unknown", received_at)


def parse_decision(text: str | None, model: str, by: str, received_at: datetime) -> Decision:
    """Parse the body of a request.

    Parameters
    ----------
    by : the person
    received_at : when the request arrived. The body's `asked_at` counts if it is at most a minute earlier.

    Raises
    ------
    BadRequest : names every wrong field by JSON pointer (RFC 6901)
    """
    body = json_object(text, REMEDY)
    errors = {name: f"unknown field; the fields are {', '.join(FIELDS)}" for name in body if name not in FIELDS}
    if isinstance(body.get("version"), bool | str):  # pydantic would read them as numbers
        errors["version"] = FIELDS["version"]
    if not isinstance(body.get("asked_at"), str | None):  # pydantic would read numbers as times
        errors["asked_at"] = FIELDS["asked_at"]
    try:
        decision = Decision.model_validate(
            {name: body[name] for name in FIELDS if name in body} | {"model": model, "by": by}
        )
    except ValidationError as problems:
        names = [str(problem["loc"][0]) for problem in problems.errors()]
        raise _bad_request(errors | {name: FIELDS[name] for name in names}) from None
    if decision.version is None and decision.decision != "rollback":
        errors["version"] = FIELDS["version"]
    if errors:
        raise _bad_request(errors)
    return decision.model_copy(update={"asked_at": _trusted_time(decision.asked_at, received_at)})


def _bad_request(errors: dict[str, str]) -> BadRequest:
    """Return the fault for wrong fields; `errors` has a sentence for each."""
    return BadRequest.at([(json_pointer(name), detail) for name, detail in errors.items()], REMEDY)


def _trusted_time(asked_at: datetime | None, received_at: datetime) -> datetime:
    if asked_at is None:
        return received_at
    return min(max(asked_at, received_at - MAX_CLOCK_DIFFERENCE), received_at)
