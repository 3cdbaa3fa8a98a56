"""The treatment of a column by what it contains, without regard to the other columns."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import numpy.typing as npt

from modelcycle.cells import number_texts
from modelcycle.cells.column import Column
from modelcycle.model.columns import Columns, Texts, Values, missing_mask
from modelcycle.model.date_parts import date_part
from modelcycle.model.pipeline import MIN_LEVEL_ROWS, WORD_PATTERN
from modelcycle.model.plan import Part, Planned
from modelcycle.spec import Pipeline

MAX_CATEGORY_LEVELS = 50  # distinct texts; a category with more is treated as high cardinality
MAX_MISSING_SHARE = 0.99  # of the rows
WORDS_INSTEAD_SHARE = 0.5  # above this share of distinct texts, word features replace categories
IDENTIFIER_TEXT_SHARE = 0.95  # above this share of distinct texts, they identify rows
MIN_EXPECTED_PAIRS = 10.0  # equal pairs by chance; if this many are expected and none exists, the numbers were assigned
MIN_WORD_SHARE = 0.01  # of the rows, for a word to count as recurring
MIN_WORD_ROWS = 2  # likewise
MIN_RECURRING_WORDS = 5
MIN_IDENTIFIER_ROWS = 20
NAMED_IDENTIFIER_SHARE = 0.98  # of distinct values, in a column whose name says that it is an identifier
MAX_EXACT_INTEGER = 2**24  # float32 represents the whole numbers up to here exactly
IDENTIFIER_NAMES = (
    re.compile(r"(^|[^a-zA-Z])(id|uuid|guid|rownum)$", re.I),
    re.compile(r"[a-z]I[dD]$"),
)
DATE_PARTS: tuple[Part, ...] = ("year", "month", "day", "weekday", "hour", "days")


def choose_treatment(column: Column, rows: Columns, pipeline: Pipeline) -> Planned:
    """Plan a column by its values.

    Parameters
    ----------
    column : its schema
    rows : training rows
    pipeline : the pipeline file, for its time column
    """
    name, values = column.name, rows.values[column.name]
    present = ~missing_mask(values)
    if not isinstance(values, Texts) and np.isinf(values).any():
        return _leave_out(name, "some values are infinite")
    missing_share = 1 - float(present.mean()) if len(present) else 1.0
    if not present.any():
        return _leave_out(name, "every value is missing")
    if missing_share > MAX_MISSING_SHARE:
        return _leave_out(name, f"almost all values are missing ({missing_share:.1%})")
    distinct = len(np.unique(values.codes[present] if isinstance(values, Texts) else values[present]))
    if distinct == 1 and missing_share == 0:
        return _leave_out(name, "constant")
    if isinstance(values, Texts):
        return _text_treatment(name, values.codes[present], values.levels)
    if column.type == "datetime":
        return _date_treatment(name, values, is_time=name == pipeline.time_column)
    if column.type == "boolean":
        return Planned(column=name, treatment="number", why="true or false")
    identifier = _identifier_reason(column, values[present], distinct)
    if identifier:
        return _leave_out(name, identifier)
    return Planned(column=name, treatment="number", why=f"number, {distinct:,} distinct values")


def varying_parts(seconds: Values, *, is_time: bool) -> list[Part]:
    """Return the parts of a date column that have more than one value.

    Parameters
    ----------
    seconds : (n,) since 1970 UTC, NaN where missing
    is_time : whether the rows are split by this column; then the parts that never recur later, year and days, are out

    Examples
    --------
    >>> noons = 86400.0 * np.arange(3) + 43200
    >>> varying_parts(noons, is_time=False)
    ['day', 'weekday', 'days']
    >>> varying_parts(noons, is_time=True)
    ['day', 'weekday']
    """
    assert not isinstance(seconds, Texts)
    present = seconds[~np.isnan(seconds)]
    parts = [part for part in DATE_PARTS if not (is_time and part in ("year", "days"))]
    return [part for part in parts if len(np.unique(date_part(present, part))) > 1]


def _leave_out(name: str, why: str) -> Planned:
    return Planned(column=name, treatment="left_out", why=why)


def _date_treatment(name: str, seconds: Values, *, is_time: bool) -> Planned:
    parts = varying_parts(seconds, is_time=is_time)
    if parts:
        return Planned(column=name, treatment="date_parts", why=f"date: {', '.join(parts)}")
    return _leave_out(name, "time column: orders the rows, and no part of the date recurs" if is_time else "constant")


def _text_treatment(name: str, codes: npt.NDArray[np.int32], texts: list[str]) -> Planned:
    """Plan a text column; `codes` (n,) of its present values index `texts`."""
    present_codes, counts = np.unique(codes, return_counts=True)
    levels = [texts[code] for code in present_codes]
    distinct, distinct_share = len(levels), len(levels) / len(codes)
    if distinct <= MAX_CATEGORY_LEVELS and counts.max() > 1:
        return Planned(column=name, treatment="category", why=f"category, {distinct} levels")
    words, recurring = (0, 0) if number_texts.look_like_numbers(levels) else _count_words(levels, counts)
    if recurring >= MIN_RECURRING_WORDS and (distinct_share > WORDS_INSTEAD_SHARE or words < distinct / 2):
        return Planned(column=name, treatment="words", why=f"free text, {recurring} recurring words")
    if distinct_share > IDENTIFIER_TEXT_SHARE:
        return _leave_out(name, f"identifier: {distinct_share:.0%} of the texts are distinct")
    if counts.max() < MIN_LEVEL_ROWS:
        return _leave_out(name, f"none of its {distinct:,} levels occurs in {MIN_LEVEL_ROWS} rows")
    return Planned(column=name, treatment="high_cardinality", why=f"category with many levels, {distinct:,}")


def _count_words(levels: list[str], counts: npt.NDArray[np.int64]) -> tuple[int, int]:
    """Return the numbers of distinct and of recurring words, or (0, 0) for texts of fewer than two words on average.

    A word recurs if it occurs in at least 1 % of the rows, but not in all.

    Parameters
    ----------
    levels : distinct texts
    counts : rows (len(levels),) of each
    """
    pattern = re.compile(WORD_PATTERN)
    rows_with_word: Counter[str] = Counter()
    total_words = 0
    for level, count in zip(levels, counts.tolist(), strict=True):
        total_words += len(level.split()) * count
        rows_with_word.update(dict.fromkeys(pattern.findall(level), count))
    n_rows = int(counts.sum())
    if total_words < 2 * n_rows:
        return 0, 0
    enough = max(MIN_WORD_ROWS, MIN_WORD_SHARE * n_rows)
    return len(rows_with_word), sum(1 for count in rows_with_word.values() if enough <= count < n_rows)


def _identifier_reason(column: Column, present: npt.NDArray[np.float32], distinct: int) -> str:
    """Return why whole numbers look like an identifier, or "".

    Numbers that were measured repeat by chance: n draws from r whole numbers give on average at least n (n - 1) / (2 r)
    equal pairs (birthday problem; any distribution other than the uniform gives more). If `MIN_EXPECTED_PAIRS` are
    expected and no value repeats, the numbers were assigned. Above `MAX_EXACT_INTEGER` different numbers may become
    equal in float32: there the column's name decides, and `column.distinct` counts the texts before conversion.
    """
    rows = len(present)
    if rows < MIN_IDENTIFIER_ROWS or not np.array_equal(present, np.floor(present)):
        return ""
    named = any(pattern.search(column.name) for pattern in IDENTIFIER_NAMES)
    if named and max(distinct, column.distinct) >= NAMED_IDENTIFIER_SHARE * rows:
        return "identifier: named like one, and nearly all values are distinct"
    span = float(present.max()) - float(present.min()) + 1
    expected_pairs = rows * (rows - 1) / (2 * span)
    exact = float(np.abs(present).max()) <= MAX_EXACT_INTEGER
    if distinct == rows and expected_pairs >= MIN_EXPECTED_PAIRS and exact:
        return f"identifier: no value repeats, where chance would give {expected_pairs:,.0f} equal pairs"
    return ""
