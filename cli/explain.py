"""`explain`: why a prediction came out as it did, and which nearest change would alter it.

GDPR, Article 22 and recital 71, give people who are decided about by a machine the right to an explanation and to a
human's review; this is what the one who answers them needs.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple
from uuid import uuid4

from cli import console
from cli.captured_prediction import Captured, find_captured
from cli.moment import parse_moment
from cli.options import Options
from cli.place import Place
from cli.review_reasons import is_same, reasons_for_review
from cli.screens.explained import explained_text
from modelcycle.cells.reading import parsed_number
from modelcycle.faults import BadInput, Fault
from modelcycle.model.profile import ColumnProfile, Profile
from modelcycle.model.signature import Signature
from modelcycle.proxy_requests import proxy_request
from modelcycle.registry import Version
from modelcycle.store import read_json

PATH = "/models/{name}/versions/{version}/explain"
THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+([.][0-9]+)?")  # as the screens write numbers
READ_TIMEOUT = 30  # seconds; longer than the function's own time-out


class Explanation(NamedTuple):
    """What people are told of a prediction.

    Parameters
    ----------
    answer : of the version that gave it: `prediction`, `explanation`, `nearest`
    state : of that version now
    notes : what the explanation cannot tell exactly, as sentences
    review : why a human should look at the prediction, as sentences; empty if nothing speaks for it
    """

    prediction_id: str
    captured: Captured
    version: Version
    answer: dict[str, Any]
    state: str
    notes: list[str]
    review: list[str]

    def wire(self) -> dict[str, Any]:
        record = self.captured.record
        return {
            "prediction_id": self.prediction_id, "at": record["at"], "model": self.version.model,
            "version": self.version.version, "state": self.state, "model_sha256": self.version.onnx.sha256,
            "inputs_sha256": self.captured.inputs, "prediction": record.get("prediction"),
            "explanation": self.answer["explanation"], "nearest": self.answer["nearest"], "notes": self.notes,
            "review": self.review,
        }  # fmt: skip


def explain(model: str, prediction_id: str, at: str | None, to: str | None, options: Options) -> int:
    """Explain a captured prediction by the version that gave it.

    Parameters
    ----------
    at : about when it was answered; the hour before and after it are looked through first
    to : the answer that the nearest change has to reach; None: any other

    Raises
    ------
    Unknown : no captured prediction has this id, or its version cannot answer any more
    BadInput : `at` is no time, or `to` no answer of the model
    """
    place = options.open_place()
    place.check_model(model)
    captured = find_captured(place, model, prediction_id, parse_moment(at, "--at") if at else None)
    version = place.registry.versions.get(model, int(captured.record["version"]))
    explanation = _explanation(place, version, prediction_id, captured, to)
    if options.as_json:
        console.print_json(explanation.wire())
    else:
        console.show(explained_text(explanation.wire()))
    return console.DONE


def _explanation(place: Place, version: Version, prediction_id: str, captured: Captured, to: str | None) -> Explanation:
    artifacts = place.artifacts
    signature = Signature.model_validate(read_json(artifacts, version.signature))
    profile = Profile.model_validate(read_json(artifacts, version.profile))
    columns = {column.name: column for column in profile.columns}
    fields = {field.name for field in signature.fields}
    instance = {name: value for name, value in captured.instance.items() if name in {*signature.columns}}
    question = {
        "instance": instance, "to": _wanted(to, signature, profile.target.format),
        "values": {name: values_to_try(columns[name]) for name in fields if name in columns},
    }  # fmt: skip
    answer = _ask(place, version, question)
    state = place.registry.standings.get(version.model, version.version).state
    return Explanation(
        prediction_id, captured, version, answer, state, _notes(captured, answer),
        reasons_for_review(captured, answer, columns, fields, state),
    )  # fmt: skip


def values_to_try(column: ColumnProfile) -> list[Any]:
    """Return values that training rows had, as a request would have them: bounds of bins, or frequent texts."""
    if column.type == "text":
        return list(column.levels)
    if column.type == "boolean":
        return [True, False]
    if column.type == "datetime":
        return []  # when something happened is not for a person to change
    inside = [column.percentile_1, *column.edges, column.percentile_99]
    return sorted({value for value in inside if value is not None})


def _wanted(to: str | None, signature: Signature, format: str) -> Any:  # noqa: A002
    if to is None or signature.classes:
        return to
    wanted = wanted_number(to, format)
    if wanted is None:
        like = f", as in {format}" if format else ""
        raise BadInput(f"{to!r} is no number{like}", "--to", "the model predicts numbers: name one to be reached")
    if parsed_number(to, "") != wanted:
        console.say(f"--to {to} is read as {wanted:,.10g}")
    return wanted


def wanted_number(text: str, format: str) -> float | None:  # noqa: A002
    """Return a number that a person writes as the data do, plainly, or as the screens do; None if it is none.

    Parameters
    ----------
    format : how the data write the target

    Examples
    --------
    >>> wanted_number("1,500", ""), wanted_number("1.500,5", "1.234,56"), wanted_number("1500.5", "1.234,56")
    (1500.0, 1500.5, 1500.5)
    >>> wanted_number("1,5", "1234,56"), wanted_number("1,5", ""), wanted_number("nan", "")
    (1.5, None, None)
    """
    found = parsed_number(text.strip(), format)
    if found is None:
        found = parsed_number(text.strip(), "")
    if found is None and THOUSANDS.fullmatch(text.strip()):
        found = float(text.replace(",", ""))
    return found


def _ask(place: Place, version: Version, question: dict[str, Any]) -> dict[str, Any]:
    names = {"name": version.model, "version": str(version.version)}
    event = proxy_request("POST", PATH.format(**names), PATH, names, uuid4().hex, question, stage="check")
    client = place.client("lambda", read_timeout=READ_TIMEOUT, retries={"total_max_attempts": 1})
    response = client.invoke(FunctionName=place.output("CandidateFunction"), Payload=event)
    payload = json.loads(response["Payload"].read())
    if response.get("FunctionError"):
        raise Fault("the function that answers for any version failed", version.model, "see its log, `candidate`")
    body = json.loads(payload["body"])
    if payload["statusCode"] != 200:
        told = body.get("errors") or [{"detail": body.get("detail", "the version cannot answer")}]
        raise BadInput(
            "; ".join(str(error["detail"]) for error in told), f"{version.model}:{version.version}",
            "see docs/documents.md#one-prediction",
        )  # fmt: skip
    answer: dict[str, Any] = body
    return answer


def _notes(captured: Captured, answer: dict[str, Any]) -> list[str]:
    notes = []
    if captured.masked:
        notes.append(f"masked when captured, and taken as missing here: {', '.join(captured.masked)}")
    if answer["explanation"] is None:
        notes.append("the model gives no finite score between this row and the reference")
    if not is_same(captured.record.get("prediction"), answer["prediction"]):
        why = ", because of the masked columns" if captured.masked else ""
        notes.append(f"asked again, the version answers {answer['prediction']}{why}")
    threshold = answer["nearest"].get("threshold")
    if threshold:
        group = ", ".join(f"{name} {value}" for name, value in threshold["group"].items())
        notes.append(
            f"{threshold['of']} is predicted from a probability of {threshold['probability']:.3g} where {group}:"
            " this version has thresholds by group"
        )
    if answer["nearest"]["note"]:
        notes.append(answer["nearest"]["note"])
    return notes
