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
    of the changed row, "note": why there is none, "threshold": {"of", "probability", "group"} where groups have
    thresholds of their own, else None}

    Raises
    ------
    BadRequest : `to` is no answer of this model, or a value does not fit its column
    """
    signature = version.signature
    fields = {field.name: field for field in signature.fields}
    read = {name for graph_input in signature.inputs for name in graph_input.columns}
    read |= {name for name in (signature.groups.columns if signature.groups else []) if name in fields}
    options = {name: _option(version, fields[name], instance, values.get(name, [])) for name in sorted(read)}
    row = Columns({name: _taken(option.values, np.zeros(1, np.intp)) for name, option in options.items()})
    scores = _scores_and_codes(version, row)
    answer = _answer(version, scores)
    result: dict[str, Any] = {
        "answer": answer,
        "to": to,
        "changes": None,
        "becomes": None,
        "note": "",
        "threshold": _threshold(version, row),
    }
    if not signature.classes and to is None:
        return result | {"note": "the model predicts numbers: name the value to be reached, with --to"}

    def score(columns: Columns) -> npt.NDArray[Any]:
        return _scores_and_codes(version, columns)

    found = nearest_change(options, score, _goal(version, scores, to))
    if found is None:
        return result | {"note": "no change of up to three columns to values that training rows had alters the answer"}
    changed = Columns({name: found.get(name, row.values[name]) for name in options})
    return result | {
        "changes": {
            name: {
                "from": json_values(row.values[name], fields[name])[0], "to": json_values(new, fields[name])[0]
            } for name, new in found.items()
        },
        "becomes": _answer(version, score(changed)),
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


def _scores_and_codes(version: LoadedVersion, columns: Columns) -> npt.NDArray[Any]:
    """Return the scores of rows and, in the last column, the code of each row's answer: groups may have thresholds."""
    scores = version.scorer.scores(columns).astype(np.float64)
    if not version.signature.classes:
        return scores
    codes = predicted_codes(scores, version.signature.cutoffs(columns.values, columns.rows))
    return np.column_stack([scores, codes])


def _threshold(version: LoadedVersion, row: Columns) -> dict[str, Any] | None:
    """Return from which probability the positive class is predicted for the row's group; None if groups have none."""
    signature = version.signature
    if signature.groups is None:
        return None
    fields = {field.name: field for field in signature.fields}
    cutoff = np.asarray(signature.cutoffs(row.values, 1)).reshape(-1)[0]
    group = {
        name: json_values(row.values[name], fields[name])[0]
        for name in signature.groups.columns if name in row.values
    }  # fmt: skip
    return {"of": signature.classes[1], "probability": shortest_decimal(np.float32(cutoff)), "group": group}


def _answer(version: LoadedVersion, scores: npt.NDArray[Any]) -> str | float:
    signature = version.signature
    return signature.classes[int(scores[0, -1])] if signature.classes else shortest_decimal(np.float32(scores[0, 0]))


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
    own = int(scores[0, -1])
    if to is None:
        return Goal(lambda found: found[:, -1] != own, lambda found: -found[:, own].astype(np.float64))
    if to not in signature.classes or to == signature.classes[own]:
        others = ", ".join(name for place, name in enumerate(signature.classes) if place != own)
        raise BadRequest.at([("/to", f"one of the other classes is expected: {others}")], REMEDY)
    wanted = signature.classes.index(to)
    return Goal(lambda found: found[:, -1] == wanted, lambda found: found[:, wanted].astype(np.float64))
