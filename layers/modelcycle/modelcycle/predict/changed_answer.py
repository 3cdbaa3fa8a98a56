"""Why a version gave an answer, and which nearest change would alter it; for `modelcycle explain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import BadRequest
from modelcycle.model.columns import Columns, Texts, Values, shortest_decimal
from modelcycle.model.fields import Field, json_values
from modelcycle.model.loaded_version import LoadedVersion
from modelcycle.model.nearest_change import Goal, Option, nearest_change
from modelcycle.model.scoring import predicted_codes

MAX_VALUES = 60  # of a column that are tried
REMEDY = "send an instance, `values` by column, and the answer `to` be reached, if any"


def read_question(body: Any) -> tuple[dict[str, Any], dict[str, list[Any]], Any]:
    """Return the row, the values that each column may take, and the answer to be reached.

    Raises
    ------
    BadRequest : the body is another thing
    """
    if not isinstance(body, dict) or not isinstance(body.get("instance"), dict):
        raise BadRequest.at([("/instance", "a row is expected, as an object")], REMEDY)
    values = body.get("values", {})
    if not isinstance(values, dict) or not all(isinstance(found, list) for found in values.values()):
        raise BadRequest.at([("/values", "lists of values by column are expected")], REMEDY)
    return body["instance"], {name: found[:MAX_VALUES] for name, found in values.items()}, body.get("to")


def changed_answer(
    version: LoadedVersion, instance: Mapping[str, Any], values: Mapping[str, list[Any]], to: Any
) -> dict[str, Any]:
    """Return the nearest change of a row that alters its answer.

    Parameters
    ----------
    values : by column, what it may become; columns without any stay as they are
    to : the class or, of a regression, the value that is to be reached; None: any other class

    Returns
    -------
    {"answer": the row's, "to": what was asked for, "changes": {column: {"from", "to"}} or None, "becomes": the answer
    of the changed row, "note": why there is none}

    Raises
    ------
    BadRequest : `to` is no answer of this model, or a value does not fit its column
    """
    signature = version.signature
    fields = {field.name: field for field in signature.fields}
    read = {name for graph_input in signature.inputs for name in graph_input.columns}
    options = {name: _option(version, fields[name], instance, values.get(name, [])) for name in sorted(read)}
    row = Columns({name: _taken(option.values, np.zeros(1, np.intp)) for name, option in options.items()})
    scores = version.scorer.scores(row)
    answer = _answer(version, scores)
    result: dict[str, Any] = {"answer": answer, "to": to, "changes": None, "becomes": None, "note": ""}
    if not signature.classes and to is None:
        return result | {"note": "the model predicts numbers: name the value to be reached"}
    found = nearest_change(options, version.scorer.scores, _goal(version, scores, to))
    if found is None:
        return result | {"note": "no change of up to three columns to values that training rows had alters the answer"}
    changed = Columns({name: found.get(name, row.values[name]) for name in options})
    return result | {
        "changes": {
            name: {
                "from": json_values(row.values[name], fields[name])[0], "to": json_values(new, fields[name])[0]
            } for name, new in found.items()
        },
        "becomes": _answer(version, version.scorer.scores(changed)),
    }  # fmt: skip


def _option(version: LoadedVersion, field: Field, instance: Mapping[str, Any], values: list[Any]) -> Option:
    """Return a column's own value and those that it may become, as the version types them."""
    rows = [{field.name: value} for value in [instance.get(field.name), *values]]
    own = {other.name: None for other in version.signature.fields}
    columns, errors = version.reader.read([own | row for row in rows])
    if errors:
        raise BadRequest.at([(f"/values/{field.name}", "a value does not fit the column")], REMEDY)
    typed = columns.values[field.name]
    if isinstance(typed, Texts) or field.type == "boolean":
        return Option(typed)
    finite = typed[np.isfinite(typed)]
    return Option(typed, float(np.ptp(finite)) if len(finite) else 0.0)


def _taken(values: Values, places: npt.NDArray[np.intp]) -> Values:
    return Texts(values.codes[places], values.levels) if isinstance(values, Texts) else values[places]


def _answer(version: LoadedVersion, scores: npt.NDArray[Any]) -> str | float:
    signature = version.signature
    if not signature.classes:
        return shortest_decimal(np.float32(scores[0, 0]))
    return signature.classes[int(predicted_codes(scores, signature.threshold)[0])]


def _goal(version: LoadedVersion, scores: npt.NDArray[Any], to: Any) -> Goal:
    signature = version.signature
    if not signature.classes:
        if isinstance(to, bool) or not isinstance(to, int | float):
            raise BadRequest.at([("/to", "the model predicts numbers: a number is expected")], REMEDY)
        sign = 1.0 if to >= float(scores[0, 0]) else -1.0
        return Goal(
            lambda found: (found[:, 0].astype(np.float64) - to) * sign >= 0,
            lambda found: found[:, 0].astype(np.float64) * sign,
        )
    own = int(predicted_codes(scores, signature.threshold)[0])
    if to is None:
        return Goal(
            lambda found: predicted_codes(found, signature.threshold) != own,
            lambda found: -found[:, own].astype(np.float64),
        )
    if to not in signature.classes or to == signature.classes[own]:
        others = ", ".join(name for place, name in enumerate(signature.classes) if place != own)
        raise BadRequest.at([("/to", f"one of the other classes is expected: {others}")], REMEDY)
    wanted = signature.classes.index(to)
    return Goal(
        lambda found: predicted_codes(found, signature.threshold) == wanted,
        lambda found: found[:, wanted].astype(np.float64),
    )
