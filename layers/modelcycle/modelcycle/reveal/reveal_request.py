"""The request of a person who asks for values: which cells, or of which values the pseudonyms, and why."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from modelcycle.faults import BadRequest
from modelcycle.json_pointer import json_pointer
from modelcycle.personal.named_person import names_a_value
from modelcycle.problems import body_text, json_object
from modelcycle.spec.section import ColumnName

MAX_CELLS = 5_000  # of a request
MAX_CELL_CHARACTERS = 10_000
MAX_WHY_CHARACTERS = 1_000
REMEDY = 'send {"why": "...", "cells": {"ssn": ["enc_..."]}}, or {"why": "...", "values": ["..."]} for pseudonyms'
NAMED = "the reason holds a value that is asked for, and the audit trail would keep it"
NAME_NOBODY = "name a case number or the like instead"

Cell = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CELL_CHARACTERS)]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_WHY_CHARACTERS)]


class RevealRequest(BaseModel):
    """What a person asks.

    Parameters
    ----------
    cells : encrypted ones, by column
    values : of which the pseudonyms are asked, by which rows of a person are found
    by : the person
    request : id that API Gateway has given the request
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    model: str
    why: Why
    cells: dict[ColumnName, list[Cell]] = {}
    values: list[Cell] = Field([])
    by: str
    request: str


def read_reveal(event: APIGatewayProxyEvent, model: str) -> RevealRequest:
    """Read a request. The model comes from the path, the person from the signature.

    Raises
    ------
    BadRequest : names every wrong field by JSON pointer (RFC 6901), and quotes no value
    """
    context = event.request_context
    return parse_reveal(body_text(event), model, context.identity.user_arn or "unknown", context.request_id or "")


def parse_reveal(text: str | None, model: str, by: str, request: str) -> RevealRequest:
    """Parse the body of a request, see `read_reveal`."""
    body = json_object(text, REMEDY)
    wrong = [(json_pointer(name), "unknown field") for name in body if name not in ("why", "cells", "values")]
    if wrong:
        raise BadRequest.at(wrong, REMEDY)
    try:
        asked = RevealRequest.model_validate(body | {"model": model, "by": by, "request": request})
    except ValidationError as problems:
        found = {json_pointer(*problem["loc"]): str(problem["msg"]) for problem in problems.errors(include_input=False)}
        raise BadRequest.at(list(found.items())[:20], REMEDY) from None
    count = sum(map(len, asked.cells.values())) + len(asked.values)
    if not 0 < count <= MAX_CELLS:
        raise BadRequest.at([("", f"1 to {MAX_CELLS:,} cells and values are expected, not {count:,}")], REMEDY)
    if names_a_value(asked.why, asked.values):
        raise BadRequest.at([("/why", NAMED)], NAME_NOBODY)
    return asked
