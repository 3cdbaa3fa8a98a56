"""Rows made up for the parity check: what a client may send and no training row contains."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.cells.reading import ColumnType
from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.fields import Field
from modelcycle.model.signature import Signature

BOUNDARY_ROWS = 32  # validation rows nearest to the decision boundary
UNCHANGED_ROWS = 8
MAX_CHANGED_FIELDS = 100
MAX_FLOAT32 = float(np.finfo(np.float32).max)
EXTREME_VALUES: dict[ColumnType, tuple[float | str, ...]] = {
    "number": (0.0, -1.0, 1e-38, 1e9, -1e9, MAX_FLOAT32, -MAX_FLOAT32),
    "boolean": (0.0, 1.0),
    # 1900, just before 1970, 1970, the last second of 9999
    "datetime": (-2208988800.0, -0.5, 0.0, 253402300799.0),
    "text": (
        "a level never seen", " ", "Ωμέγα 日本語 🚲", 'it\'s "quoted", /and\\ 100 %', "-1", "nan", "x" * 10_000,
    ),
}  # fmt: skip

Change = dict[str, Any]
"""The fields of a row that are replaced, with their new values; None for missing."""


def parity_rows(signature: Signature, validation: Columns, scores: npt.NDArray[np.float32]) -> Columns:
    """Return rows made from validation rows, without target.

    They are: the rows nearest to the decision boundary and some others, unchanged; one row with all fields missing; and
    for each field one row where it is missing and one for each of its `EXTREME_VALUES`.

    Parameters
    ----------
    signature : of the model
    validation : n rows
    scores : of the validation rows, (n, classes) or (n, 1)
    """
    boundary = _boundary_positions(scores, signature)
    changes: list[Change] = [{} for _ in range(len(boundary) + min(UNCHANGED_ROWS, validation.rows))]
    changes.append({field.name: None for field in signature.fields})
    for field in signature.fields[:MAX_CHANGED_FIELDS]:
        changes += [{field.name: value} for value in (None, *EXTREME_VALUES[field.type])]
    positions = np.arange(len(changes)) % max(validation.rows, 1)
    positions[: len(boundary)] = boundary
    rows = validation.take(positions)
    return Columns({field.name: _apply(changes, field, rows.values[field.name]) for field in signature.fields})


def _boundary_positions(scores: npt.NDArray[np.float32], signature: Signature) -> npt.NDArray[np.int64]:
    """Return the positions of the rows nearest to the threshold; of more classes, where the two most probable are."""
    if signature.task == "regression":
        return np.zeros(0, dtype=np.int64)
    if signature.task == "binary":
        return np.argsort(np.abs(scores[:, 1] - signature.threshold), kind="stable")[:BOUNDARY_ROWS]
    ascending = np.sort(scores, axis=1)
    return np.argsort(ascending[:, -1] - ascending[:, -2], kind="stable")[:BOUNDARY_ROWS]


def _apply(changes: list[Change], field: Field, values: Values) -> Values:
    """Return the field's values (n,) with the changes of n rows."""
    new_values = {row: change[field.name] for row, change in enumerate(changes) if field.name in change}
    if isinstance(values, Texts):
        texts = [text or None for text in values.strings().tolist()]
        for row, value in new_values.items():
            texts[row] = value
        return Texts.of(texts)
    for row, value in new_values.items():
        values[row] = np.nan if value is None else value
    return values
