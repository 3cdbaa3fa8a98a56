"""`erase`: take the rows of a person out of everything that a model keeps."""

from __future__ import annotations

import getpass
import json
import re
import secrets
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli import console
from cli.options import Options
from cli.place import Place
from cli.polling import attempts
from cli.retrain import ask
from cli.screens.erasures import found_text, none_text, receipt_text
from modelcycle.faults import BadInput, Fault, NoData, NotAllowed, Unknown
from modelcycle.messages import Wanted
from modelcycle.messages.erasure import MAX_CONDITIONS, MAX_SUBJECTS, MAX_UNASKED_ROWS, erasure_prefix, request_key
from modelcycle.personal.named_person import names_a_value

TIMEOUT = 24 * 3600.0  # seconds, of an erasure
CAPTURE_SECONDS = {"aws": 90}  # that Firehose may keep an answer (storage.yaml), with the time to write it
TOLD_WITHOUT_NAME = re.compile(
    r"(?P<bucket>data|artifacts)/(?P<folder>.*) \(object \d+, version (?P<version>\S+): .*\)"
)
ERASURE_ID = re.compile(r"\d{8}t\d{6}-[0-9a-f]{6}")
ENDED = {"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}


def erase(
    model: str, subjects: Sequence[str], file: Path | None, rows: int | None, why: str, resume: str | None,
    options: Options, *, yes: bool, retrain: bool,
) -> int:  # fmt: skip
    """Show what was found of a person; erase it when that is confirmed.

    Parameters
    ----------
    subjects : COLUMN=VALUE, or several joined by `&` that have to match together
    file : instead, JSON: a list of objects {column: value}; so no value stands in the history of a shell
    rows : how many rows are meant; needed if they are more than MAX_UNASKED_ROWS
    resume : the id of an erasure that failed or was interrupted: it goes on
    yes : do not ask
    retrain : ask for a run when the rows are gone

    Raises
    ------
    BadInput : the subjects cannot be read
    Unknown : there is no erasure to resume
    NotAllowed : more rows match than were confirmed
    """
    wanted = [] if resume else _subjects(subjects, file)
    _check_reason(why, wanted)
    place = options.open_place()
    place.check_model(model)
    if resume:
        return _take_up(place, model, resume, options)
    erasure = f"{datetime.now(UTC):%Y%m%dt%H%M%S}-{secrets.token_hex(3)}"
    request = Wanted(
        model=model, subjects=wanted, rows=rows, retrain=retrain, by=getpass.getuser(), why=why,
        asked_at=datetime.now(UTC),
    )  # fmt: skip
    body = request.model_dump_json(by_alias=True).encode()
    place.s3.put_object(Bucket=place.output("ArtifactBucket"), Key=request_key(model, erasure), Body=body)
    console.say(f"looking for the rows; the erasure has the id {erasure}")
    _run(place, model, erasure, "find")
    preview = _read(place, model, erasure, "preview.json")
    if not preview["objects"]:
        _wait_for_captures(place, request.asked_at)
        _run(place, model, erasure, "erase")  # writes the receipt, and deletes the request
        return _none(model, erasure, preview, options)
    if not options.as_json:
        console.show(found_text(model, erasure, _with_names(place, preview)))
    if (rows is None and preview["rows"] > MAX_UNASKED_ROWS) or (rows is not None and preview["rows"] != rows):
        _run(place, model, erasure, "forget")
        limit = f"without --rows, at most {MAX_UNASKED_ROWS:,} are erased" if rows is None else f"--rows says {rows:,}"
        raise NotAllowed(
            f"{preview['rows']:,} rows match; {limit}",
            f"{model}, erasure {erasure}", f"if you mean all of them, repeat with --rows {preview['rows']}",
        )  # fmt: skip
    if not yes and not _can_ask(options):
        raise NotAllowed(
            "nothing was erased: this is no terminal, so nobody was asked", f"{model}, erasure {erasure}",
            f"--yes erases without a question; or: modelcycle erase {model} --resume {erasure} erases what was found;"
            " it is kept for that for 30 days",
        )  # fmt: skip
    if not yes and not _confirmed():
        _run(place, model, erasure, "forget")
        raise NotAllowed(
            "nothing was erased, and what the look had found is deleted", f"{model}, erasure {erasure}",
            "the same command asks again",
        )  # fmt: skip
    _wait_for_captures(place, request.asked_at)
    return _end(place, model, erasure, options, retrain=retrain)


def _wait_for_captures(place: Place, asked_at: datetime) -> None:
    """Wait until answers that were given before the request lie where the erasure looks."""
    left = (asked_at - datetime.now(UTC)).total_seconds() + CAPTURE_SECONDS.get(place.name, 0)
    if left > 0:
        console.say(f"answers may still be on their way to the bucket: the erasure begins in {left:.0f} s")
        time.sleep(left)


def _take_up(place: Place, model: str, erasure: str, options: Options) -> int:
    """Let an erasure go on that failed, was interrupted, or was looked for where nobody could be asked."""
    if not ERASURE_ID.fullmatch(erasure):
        raise Unknown(
            "that is no id of an erasure", f"--resume {erasure}",
            "`modelcycle erase` prints the id when it begins, such as 20260301t093000-5f0c2a;"
            f" modelcycle erase {model} --subject COLUMN=VALUE begins anew",
        )  # fmt: skip
    record = place.registry.erasures.get(model, erasure)
    if record is not None and record.state == "done":
        return _show_receipt(place, model, _read(place, model, erasure, "receipt.json"), options)
    return _end(place, model, erasure, options, retrain=False)


def _end(place: Place, model: str, erasure: str, options: Options, *, retrain: bool) -> int:
    holder = place.registry.leases.holder(model)
    if holder.execution:
        console.say(f"{holder.run_id or 'another erasure'} has the model; the erasure begins when it ends")
    ended = _run(place, model, erasure, "erase")
    if ended.get("state") == "refused":
        raise NotAllowed(ended["reason"], f"{model}, erasure {erasure}", "repeat with --rows, if you mean all of them")
    receipt = _read(place, model, erasure, "receipt.json")
    if retrain or ended.get("retrain"):
        answer = ask(place, model, "RetrainingRequested", f"rows were erased ({erasure})")
        receipt["run"] = answer.wire()
    return _show_receipt(place, model, receipt, options)


def _with_names(place: Place, found: dict[str, Any]) -> dict[str, Any]:
    """Return a receipt or preview, for the screen alone, with the names of objects that hold a value."""
    held = {_name_of(place, name): why for name, why in found["held"].items()}
    return found | {"held": held, "unread": [_name_of(place, name) for name in found["unread"]]}


def _name_of(place: Place, told: str) -> str:
    found = TOLD_WITHOUT_NAME.fullmatch(told)
    if found is None or found["version"] == "null":
        return told
    bucket = place.output("DataBucket" if found["bucket"] == "data" else "ArtifactBucket")
    try:
        pages = place.s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=found["folder"])
        versions = (one for page in pages for one in page.get("Versions", []))
        key = next((one["Key"] for one in versions if one["VersionId"] == found["version"]), None)
    except place.s3.exceptions.ClientError:  # whoever may not list versions sees the folder
        key = None
    return f"{found['bucket']}/{key}" if key else told


def _show_receipt(place: Place, model: str, receipt: dict[str, Any], options: Options) -> int:
    if options.as_json:
        console.print_json(receipt)
    else:
        console.show(receipt_text(model, _with_names(place, receipt)))
    return console.DONE_IN_PART if receipt["held"] else console.DONE


def _none(model: str, erasure: str, preview: dict[str, Any], options: Options) -> int:
    if options.as_json:
        console.print_json({"model": model, "erasure": erasure} | preview)
    else:
        console.show(none_text(model, preview))
    return console.DONE


def _subjects(texts: Sequence[str], file: Path | None) -> list[dict[str, str]]:
    """Return the subjects as objects {column: value}.

    >>> _subjects(["id=7", "house=3&person=A=1"], None)
    [{'id': '7'}, {'house': '3', 'person': 'A=1'}]
    """
    if bool(texts) == (file is not None):
        raise BadInput("who is erased?", "the command line", "give --subject COLUMN=VALUE, or --subjects FILE.json")
    found = [_conditions(text) for text in texts] if file is None else _in_file(file)
    if not 1 <= len(found) <= MAX_SUBJECTS:
        raise BadInput(f"{len(found)} subjects are not 1 to {MAX_SUBJECTS}", "the command line", "erase some at a time")
    for subject in found:
        if not 1 <= len(subject) <= MAX_CONDITIONS or not all(
            name.strip() and value.strip() for name, value in subject.items()
        ):
            raise BadInput(
                "a subject has a column and a value, both not empty", "the command line", "as in --subject id=123"
            )  # fmt: skip
    return found


def _check_reason(why: str, subjects: Sequence[dict[str, str]]) -> None:
    """Raise BadInput if the reason names a person: the receipt keeps it for good."""
    if names_a_value(why, (value for subject in subjects for value in subject.values())):
        raise BadInput(
            "the reason holds a value of who is erased, and the receipt would keep it", "--why",
            "name a case number or the like instead",
        )  # fmt: skip


def _conditions(text: str) -> dict[str, str]:
    parts = text.split("&")
    if not all("=" in part for part in parts):  # an & in a value
        parts = [text]
    pairs = [part.partition("=") for part in parts]
    if not all(equals for _, equals, _ in pairs):
        raise BadInput("a subject is COLUMN=VALUE", "--subject", "as in --subject id=123")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _in_file(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        raise NoData("there is no such file", str(file), "check the path")
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(found, list):
            raise ValueError("no list")
        return [{str(name): _text(value) for name, value in subject.items()} for subject in found]
    except (ValueError, AttributeError):
        raise BadInput(
            "the file is not a JSON list of objects {column: value}", str(file), 'as in [{"id": "123"}]'
        ) from None  # fmt: skip


def _text(value: Any) -> str:
    if not isinstance(value, str | int | float):
        raise ValueError("no value of a cell")
    return value if isinstance(value, str) else json.dumps(value)


def _can_ask(options: Options) -> bool:
    return not options.as_json and sys.stdin.isatty()


def _confirmed() -> bool:
    try:
        return input("Erase them for good? [y/N] ").strip().lower() in ("y", "yes")
    except (EOFError, KeyboardInterrupt):  # Ctrl-D and Ctrl-C are a no
        return False


def _run(place: Place, model: str, erasure: str, mode: str) -> dict[str, Any]:
    """Run the flow to its end; return what its last step says.

    Raises
    ------
    Fault : it failed
    """
    flows = place.client("stepfunctions")
    message = {"model": model, "erasure": erasure, "mode": mode}
    name = f"{erasure}-{mode}-{secrets.token_hex(3)}"
    arn = flows.start_execution(stateMachineArn=place.output("ErasureArn"), name=name, input=json.dumps(message))[
        "executionArn"
    ]
    for _ in attempts(place, TIMEOUT):
        execution = flows.describe_execution(executionArn=arn)
        if execution["status"] in ENDED:
            break
    if execution["status"] != "SUCCEEDED":
        what, where, remedy = Fault.parse(_message(execution.get("cause") or "the erasure ended early"))
        if execution.get("error") == Unknown.__name__:  # there is nothing that could go on
            raise Unknown(what, where, remedy)
        raise Fault(
            what, f"{model}, erasure {erasure}", f"modelcycle erase {model} --resume {erasure} goes on where it was"
        )
    ended: dict[str, Any] = json.loads(execution["output"])["finished"]
    return ended


def _message(cause: str) -> str:
    """Return the message in a Cause, which may be JSON of the runtime."""
    try:
        return str(json.loads(cause)["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause


def _read(place: Place, model: str, erasure: str, name: str) -> dict[str, Any]:
    key = f"{erasure_prefix(model, erasure)}{name}"
    try:
        body = place.s3.get_object(Bucket=place.output("ArtifactBucket"), Key=key)["Body"].read()
    except place.s3.exceptions.NoSuchKey:
        raise Unknown(f"there is no erasure {erasure}", model, f"`modelcycle erase {model} --subject ...`") from None
    found: dict[str, Any] = json.loads(body)
    return found
