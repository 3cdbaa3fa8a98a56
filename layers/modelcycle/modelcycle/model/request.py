"""The body of a prediction request: strict JSON, and the rows in it.

A request holds `{"instances": [{column: value}, ...]}`.
"""

from __future__ import annotations

import json
import math
from typing import Any

from modelcycle.faults import BadRequest, TooLarge

MAX_REQUEST_BYTES = 3 * 2**20  # Lambda accepts 6 MB (AWS page "Lambda quotas"), with the body escaped inside the event
MAX_REQUEST_ROWS = 1_000
MAX_REQUEST_ERRORS = 20  # named in one answer
MAX_OUTCOMES = 10_000  # of a request that sends outcomes
MAX_INTEGER_DIGITS = 400  # no float64 has more, and Python parses integers in quadratic time


def parse_request(body: bytes | str | None) -> Any:
    """Parse a request's body as JSON, without NaN, Infinity and duplicate keys.

    Returns
    -------
    the JSON value, of any type; `instances_of` checks it

    Raises
    ------
    BadRequest : it is not JSON
    TooLarge : it has more than `MAX_REQUEST_BYTES`

    Examples
    --------
    >>> parse_request('{"instances": [{"age": 41}]}')
    {'instances': [{'age': 41}]}
    """
    if not body:
        raise BadRequest("the body is empty", "", 'send {"instances": [{column: value}, ...]}')
    size = len(body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
    if size > MAX_REQUEST_BYTES:
        raise TooLarge(
            f"the body has {size:,} bytes; the limit is {MAX_REQUEST_BYTES:,}", "", "send the rows in several requests"
        )
    try:
        return _parse(body if isinstance(body, str) else body.decode(json.detect_encoding(body), "surrogatepass"))
    except RecursionError:
        raise BadRequest("the body is nested too deeply", "", "send an object with a list of flat rows") from None
    except ValueError as error:
        if (body if isinstance(body, str) else body.decode("utf-8", "replace")).startswith("\ufeff"):
            raise BadRequest("the body begins with a byte order mark", "", "send UTF-8 JSON without it") from None
        raise BadRequest(f"the body is not JSON: {error}", "", "send UTF-8 JSON") from None


def instances_of(request: Any) -> Any:
    """Return the rows of a parsed request.

    Returns
    -------
    the value of `instances`; `Signature.read` checks it against the model's columns

    Raises
    ------
    BadRequest : names each wrong field by JSON pointer (RFC 6901)
    TooLarge : more than `MAX_REQUEST_ROWS` rows
    """
    if not isinstance(request, dict):
        raise BadRequest.at([("", 'an object is expected: {"instances": [{column: value}, ...]}')])
    errors = [(f"/{key}", "unknown field; only `instances` is allowed") for key in request if key != "instances"]
    if "instances" not in request:
        errors.append(("/instances", "the field is missing: a list of rows, each {column: value}"))
    if errors:
        raise BadRequest.at(errors[:MAX_REQUEST_ERRORS])
    instances = request["instances"]
    if isinstance(instances, list) and len(instances) > MAX_REQUEST_ROWS:
        raise TooLarge(
            f"the request has {len(instances):,} rows; the limit is {MAX_REQUEST_ROWS:,}", "/instances",
            "send the rows in several requests",
            [{"pointer": "/instances", "detail": f"at most {MAX_REQUEST_ROWS:,} rows are allowed"}],
        )  # fmt: skip
    return instances


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number; send null for a missing value")


def _finite_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _short_integer(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS:
        raise ValueError("a number is too large")
    return int(text)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("an object has a duplicate key")
    return value


# made once: `json.loads` would make a decoder for each request, which takes longer than to parse a row
_parse = json.JSONDecoder(
    parse_constant=_reject_constant, parse_float=_finite_float, parse_int=_short_integer, object_pairs_hook=_unique_keys
).decode
