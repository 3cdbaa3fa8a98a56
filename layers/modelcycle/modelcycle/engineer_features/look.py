"""What a column holds, seen by itself."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model import numerals
from modelcycle.model.columns import Column, Columns, Texts, Values
from modelcycle.model.pipeline import RARE, WORD
from modelcycle.model.plan import Part, Planned
from modelcycle.model.signature import date_part
from modelcycle.spec import Pipeline

FEW_LEVELS = 50  # up to here a category gets a column for each level where the algorithm needs it
MOST_MISSING = 0.99  # share of rows without a value from which a column says too little
MOSTLY_NEW = 0.5  # share of distinct texts from which their words say more than they do as levels
ALL_DISTINCT = 0.95  # share of distinct texts from which they name rows
CHANCE_TWINS = 10.0  # equal pairs that chance would give; none at all means that somebody made the numbers distinct
SHARE_OF_ROWS = 0.01  # in which a word has to occur to count as recurring
RECURRING_WORDS = 5
PARTS: tuple[Part, ...] = ("year", "month", "day", "weekday", "hour", "days")


def look(column: Column, rows: Columns, pipeline: Pipeline) -> Planned:
    """How a column enters by what it holds. Looks at the training rows alone."""
    values = rows.values[column.name]
    present = values.codes >= 0 if isinstance(values, Texts) else ~np.isnan(values)
    missing = 1 - float(present.mean()) if len(present) else 1.0
    out: dict[str, Any] = {"column": column.name, "treatment": "left_out"}
    if not present.any():
        return Planned(**out, why="no value at all")
    if missing > MOST_MISSING:
        return Planned(**out, why=f"almost all missing ({missing:.1%})")
    if isinstance(values, Texts):
        return _text(column.name, values.codes[present], values.levels, missing)
    held = values[present]
    distinct = len(np.unique(held))
    if distinct == 1 and missing == 0:
        return Planned(**out, why="constant")
    if column.type == "datetime":
        is_time = column.name == pipeline.time_column
        parts = parts_that_vary(values, is_time=is_time)
        if not parts:
            return Planned(**out, why="orders the rows, and no part of it comes again" if is_time else "constant")
        return Planned(column=column.name, treatment="date_parts", why=f"date: {', '.join(parts)}")
    if column.type == "boolean":
        return Planned(column=column.name, treatment="number", why="yes or no")
    identifier = _counts_rows(column, held, distinct)
    if identifier:
        return Planned(**out, why=identifier)
    return Planned(column=column.name, treatment="number", why=f"number, {distinct:,} values")


def parts_that_vary(seconds: Values, *, is_time: bool) -> list[Part]:
    """The parts of a date that have more than one value; of the time column only those that come again later."""
    assert not isinstance(seconds, Texts)
    held = seconds[~np.isnan(seconds)]
    parts = [part for part in PARTS if not (is_time and part in ("year", "days"))]
    return [part for part in parts if len(np.unique(date_part(held, part))) > 1]


def _text(name: str, codes: npt.NDArray[np.int32], texts: list[str], missing: float) -> Planned:
    levels, counts = np.unique(codes, return_counts=True)
    distinct = len(levels)
    if distinct == 1 and missing == 0:
        return Planned(column=name, treatment="left_out", why="constant")
    if distinct <= FEW_LEVELS and counts.max() > 1:
        return Planned(column=name, treatment="category", why=f"category, {distinct} levels")
    hint = f"; {numerals.HINT}" if numerals.written_otherwise([texts[level] for level in levels]) else ""
    words, recurring = (0, 0) if hint else _words([texts[level] for level in levels], counts)
    if recurring >= RECURRING_WORDS and (distinct > MOSTLY_NEW * len(codes) or words < distinct / 2):
        return Planned(column=name, treatment="words", why=f"text of words, {recurring} of them recur")
    if distinct > ALL_DISTINCT * len(codes):
        return Planned(
            column=name, treatment="left_out", why=f"identifier: {distinct / len(codes):.0%} distinct texts{hint}"
        )
    if counts.max() < RARE:
        return Planned(column=name, treatment="left_out", why=f"{distinct:,} levels, none of them in {RARE} rows{hint}")
    return Planned(column=name, treatment="high_cardinality", why=f"category of many levels, {distinct:,}{hint}")


def _words(levels: list[str], counts: npt.NDArray[np.int64]) -> tuple[int, int]:
    """How many words there are, and how many come again in some rows but not in all; 0 where a text is but one word."""
    pattern = re.compile(WORD)
    rows: Counter[str] = Counter()
    spoken = 0
    for level, count in zip(levels, counts.tolist(), strict=True):
        words = pattern.findall(level)
        spoken += len(level.split()) * count
        rows.update(dict.fromkeys(words, count))
    total = int(counts.sum())
    if spoken < 2 * total:
        return 0, 0
    return len(rows), sum(1 for count in rows.values() if max(2, SHARE_OF_ROWS * total) <= count < total)


def _counts_rows(column: Column, held: npt.NDArray[np.float32], distinct: int) -> str:
    """Why whole numbers look like an identifier, or "".

    Numbers that are drawn meet by chance: n draws from a range of r give at least n (n - 1) / (2 r) equal pairs
    (the birthday problem; any other distribution than the uniform gives more). Where ten or more are due and there is
    none, the numbers were made to differ. float32 holds whole numbers up to 16,777,216 exactly; past that the name
    has to say it, and the count is that of the texts.
    """
    n, name = len(held), column.name
    if n < 20 or not np.array_equal(held, np.floor(held)):
        return ""
    span = float(held.max()) - float(held.min()) + 1
    named = re.search(r"(^|[^a-z])(id|uuid|guid|key|index|nr|no|rownum)$", name.lower()) or re.search(
        r"[a-z]I[dD]$", name
    )
    if named and max(distinct, column.distinct) >= 0.98 * n:
        return "identifier by its name, and nearly all values differ"
    due = n * (n - 1) / (2 * span)
    if distinct == n and due >= CHANCE_TWINS and float(np.abs(held).max()) <= 2**24:
        return f"identifier: no number comes twice, where chance would give {due:,.0f} equal pairs"
    return ""
