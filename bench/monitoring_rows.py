"""The rows of bench/monitoring.py: 30 columns as models have them, and changes in three of them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

NUMBERS, TEXTS = 20, 10
MANY_LEVELS = 50_000
Change = Literal["none", "slight", "moderate"]
CHANGED = ("number 00", "number 07", "text 1")
SHIFTS = {"none": (0.0, 1.0, 0.0), "slight": (0.05, 1.05, 0.02), "moderate": (0.25, 1.25, 0.1)}
"""In deviations; as a factor of the deviation; as a share of rows that move from one level to another."""


def make_rows(rows: int, seed: int, change: Change = "none") -> pd.DataFrame:
    """Draw rows; equal arguments give equal rows.

    Parameters
    ----------
    change : of the columns CHANGED, see SHIFTS
    """
    draw = np.random.default_rng(seed)
    shift, scale, moved = SHIFTS[change]
    common = draw.normal(size=rows)  # columns of a table depend on each other
    columns: dict[str, object] = {}
    for n in range(NUMBERS):
        own = draw.normal(size=rows)
        values = 0.5 * common + np.sqrt(0.75) * own
        if n == 0:
            values += shift
        if n == 7:
            values *= scale
        if n in (3, 4, 5):
            values = np.exp(values)  # amounts
        elif n in (8, 9):
            values = np.floor(np.exp(values)).astype(float)  # counts, many of them 0
        elif n in (10, 11):
            values = np.round(values, 1)
        elif n in (12, 13):
            values = (values > n / 10 - 1).astype(float)
        if n in (14, 15, 16):
            values[draw.random(rows) < 0.1] = np.nan
        columns[f"number {n:02d}"] = values.astype(np.float32).astype(np.float64)
    for n in range(TEXTS):
        count = MANY_LEVELS if n == 0 else 2 + 4 * n
        shares = 1 / np.arange(1, count + 1) ** (1.0 if n == 0 else 0.8)
        codes = np.searchsorted(np.cumsum(shares) / shares.sum(), draw.random(rows) * (1 - 1e-9))
        if n == 1:
            codes[(codes == 0) & (draw.random(rows) < moved * shares.sum() / shares[0])] = 1
        names = np.array([f"{'customer' if n == 0 else 'level'} {code}" for code in range(count)], dtype=object)
        texts = names[codes]
        if n == 9:
            texts[draw.random(rows) < 0.05] = None
        columns[f"text {n}"] = texts
    return pd.DataFrame(columns)


def make_scores(frame: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """Return the positive class's probability by a model that reads some of the columns."""
    logit = frame["number 00"] + 0.5 * frame["number 01"] - 0.7 * frame["number 02"] + 0.3 * frame["number 06"]
    scores: np.ndarray[tuple[int], np.dtype[np.float32]] = (1 / (1 + np.exp(-logit.to_numpy()))).astype(np.float32)
    return scores
