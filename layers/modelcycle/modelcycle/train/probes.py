"""Odd rows on which ONNX and scikit-learn have to agree too: what validation rows seldom hold and live traffic will."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.signature import Signature

ODD_TEXTS = ["never seen", "", " ", "Ünïcødé 漢字", "a" * 300, 'quo"ted, and so on', "0", "nan"]
ODD_NUMBERS = [0.0, -1.0, 1e-30, -1e30, 1e30, 16_777_217.0]
NEAREST = 50  # rows next to the threshold


def probes(rows: Columns, signature: Signature, scores: Any) -> Columns:
    """Rows derived from a few real ones: each column without value, all without, odd texts, extreme numbers.

    Parameters
    ----------
    rows : table whose columns the signature reads
    scores : of those rows, (n, k); the rows nearest the threshold are taken as they are
    """
    if len(signature.classes) >= 2:
        top = np.sort(scores, axis=1)
        nearest = np.argsort(top[:, -1] - top[:, -2], kind="stable")[:NEAREST]
    else:
        nearest = np.arange(min(NEAREST, len(scores)))
    seeds = np.resize(np.arange(min(8, rows.rows)), max(len(ODD_TEXTS), len(ODD_NUMBERS)))
    names = [field.name for field in signature.fields]
    tables = [rows.take(nearest), rows.take(seeds)]
    for name in names:
        base = rows.take(seeds)
        tables += [_with(base, {name: _missing(base.values[name])}), _with(base, {name: _odd(base.values[name])})]
    base = rows.take(seeds[:1])
    tables.append(_with(base, {name: _missing(base.values[name]) for name in names}))
    return Columns({name: _joined([table.values[name] for table in tables]) for name in names})


def _with(table: Columns, changed: dict[str, Values]) -> Columns:
    return Columns(table.values | changed)


def _missing(values: Values) -> Values:
    if isinstance(values, Texts):
        return Texts(np.full(len(values), -1, dtype=np.int32), values.levels)
    return np.full_like(values, np.nan)


def _odd(values: Values) -> Values:
    if isinstance(values, Texts):
        return Texts.of([ODD_TEXTS[place % len(ODD_TEXTS)] or None for place in range(len(values))])
    odd = ODD_NUMBERS if values.dtype == np.float32 else [0.0, 86_400.0, 4e9, -2e9]
    return np.resize(np.array(odd, dtype=values.dtype), len(values))


def _joined(parts: list[Values]) -> Values:
    if isinstance(parts[0], Texts):
        return Texts.of([text or None for part in parts if isinstance(part, Texts) for text in part.strings()])
    return np.concatenate([part for part in parts if not isinstance(part, Texts)])
