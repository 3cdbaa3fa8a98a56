"""Odd rows on which scikit-learn and ONNX have to agree too: what a client may send and no training row holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.signature import Field, Signature

NEAR = 32  # rows nearest the decision
PLAIN = 8  # rows as they are
MOST_FIELDS = 100  # probed one by one
LARGEST = float(np.finfo(np.float32).max)
NUMBERS = (0.0, -1.0, 1e-38, 1e9, -1e9, LARGEST, -LARGEST)
DATES = (-2208988800.0, -0.5, 0.0, 253402300799.0)  # 1900, just before and at 1970, the last second of 9999
TEXTS = ("a level never seen", " ", "Ωμέγα 日本語 🚲", 'it\'s "quoted", /and\\ 100 %', "-1", "nan", "x" * 10_000)


def probes(signature: Signature, validation: Columns, scores: npt.NDArray[np.float32]) -> Columns:
    """Rows made of validation rows, without target.

    Each field null, all null, and each field at values it never had; the rows nearest the decision between two classes.

    Parameters
    ----------
    scores : of the validation rows, (n, classes) or (n, 1)
    """
    near = _nearest(scores, signature)
    changes: list[dict[str, Any]] = [{} for _ in range(len(near) + min(PLAIN, validation.rows))]
    changes.append({field.name: None for field in signature.fields})
    for field in signature.fields[:MOST_FIELDS]:
        changes += [{field.name: value} for value in (None, *_odd(field))]
    base = np.arange(len(changes)) % max(validation.rows, 1)
    base[: len(near)] = near
    rows = validation.take(base)
    return Columns({field.name: _changed(rows.values[field.name], field.name, changes) for field in signature.fields})


def _nearest(scores: npt.NDArray[np.float32], signature: Signature) -> npt.NDArray[np.int64]:
    if signature.task == "regression":
        return np.zeros(0, dtype=np.int64)
    best = np.sort(scores, axis=1)
    return np.argsort(best[:, -1] - best[:, -2], kind="stable")[:NEAR]


def _odd(field: Field) -> tuple[Any, ...]:
    odd: dict[str, tuple[Any, ...]] = {"number": NUMBERS, "datetime": DATES, "text": TEXTS, "boolean": (0.0, 1.0)}
    return odd[field.type]


def _changed(values: Values, name: str, changes: list[dict[str, Any]]) -> Values:
    places = [place for place, change in enumerate(changes) if name in change]
    if isinstance(values, Texts):
        texts = [text or None for text in values.strings().tolist()]
        for place in places:
            texts[place] = changes[place][name]
        return Texts.of(texts)
    for place in places:
        value = changes[place][name]
        values[place] = np.nan if value is None else value
    return values
