"""Outcomes whose ids are pseudonyms: sent to the function that makes these, and brought back as they are kept."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cli import signing
from cli.place import Place
from modelcycle.accept_feedback.outcomes_request import OUTCOME, outcomes_of
from modelcycle.bounded_groups import bounded_groups
from modelcycle.faults import BadInput, BadRequest, Throttled, Transient
from modelcycle.model.request import MAX_OUTCOMES, MAX_REQUEST_BYTES

MAX_REQUEST_CHARACTERS = MAX_REQUEST_BYTES // 2  # of the rows of one request; JSON may escape them
DELAYS = (1.0, 3.0, 9.0)  # seconds before a request is sent again that the API could not answer


def send_outcomes(place: Place, model: str, lines: Path, target: str, file: Path) -> list[str]:
    """Send outcomes to the API; return the keys of the objects that keep them.

    Parameters
    ----------
    lines : JSON lines
    target : whose name may stand for `outcome`
    file : that they are of, for messages

    Raises
    ------
    BadInput : a row is not what the API takes; nothing was sent then
    Transient, Throttled : the API does not answer; says how many outcomes were kept
    """
    sent = 0
    for rows in _requests(lines, target):
        try:
            outcomes_of({"outcomes": rows})
        except BadRequest as fault:
            pointer = fault.errors[0]["pointer"].split("/")  # /outcomes/17/at
            row = sent + int(pointer[2]) + 1 if len(pointer) > 2 else sent + 1
            what = f"{pointer[-1]}: {fault.errors[0]['detail']}"
            raise BadInput(f"outcome {row:,} is wrong: {what}", str(file), "correct it; nothing was kept") from None
        sent += len(rows)
    keys: list[str] = []
    kept = 0
    for rows in _requests(lines, target):
        keys.append(_sent(place, model, rows, kept, file))
        kept += len(rows)
    return keys


def bring(place: Place, keys: list[str], path: Path) -> None:
    """Write what is kept under some keys to one file of JSON lines."""
    bucket = place.output("DataBucket")
    with path.open("wb") as target:
        for key in keys:
            for chunk in place.s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(2**20):
                target.write(chunk)


def _sent(place: Place, model: str, rows: list[dict[str, Any]], kept: int, file: Path) -> str:
    for delay in (*DELAYS, None):
        try:
            return str(signing.call(place, "POST", f"/models/{model}/feedback", {"outcomes": rows})["kept"])
        except (Transient, Throttled) as fault:
            if delay is None:
                told = f"{fault.what}; {kept:,} outcomes were kept before"
                raise type(fault)(told, str(file), "give the file again later: what was kept counts once") from fault
            time.sleep(delay)
    raise AssertionError  # the last attempt returns or raises


def _requests(lines: Path, target: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of each request."""
    with lines.open() as file:
        for some in bounded_groups(file, len, MAX_REQUEST_CHARACTERS, MAX_OUTCOMES):
            yield [_row(line, target) for line in some]


def _row(line: str, target: str) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(line)
    if OUTCOME not in row:
        row[OUTCOME] = row.pop(target)
    return row
