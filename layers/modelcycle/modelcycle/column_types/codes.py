"""Whole numbers that are codes or dates: zip codes, article numbers, 20240131, seconds since 1970.

A model keeps numbers as float32, which drops leading zeros and makes one number of several that differ in their last
digits. Codes are read as texts, so that they stay what they are; measures (revenue, bytes, populations) stay numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from modelcycle.cells import dates
from modelcycle.cells.numbers import number_sql

MAX_EXACT_INTEGER = 2**24  # float32 represents the whole numbers up to here exactly
MIN_EXACT_DIGITS = 16  # nobody measures so many digits, and a double has no more
MIN_ZEROS_SHARE = 0.5  # of numbers of different lengths, that must begin with 0
MIN_WIDTH_SHARE = 0.9  # of the numbers, that must have one length if only some begin with 0
MAX_RECURRING_SHARE = 0.5  # of distinct numbers: codes recur
MIN_LOST_SHARE = 0.01  # of the distinct numbers, that float32 merges
MAX_DISTINCT_CODES = 1000  # of numbers that may be seconds since 1970, which recur too
MIN_LOST_DISTINCT = 0.5  # of the distinct numbers, from which float32 says nothing about them
MIN_EXPECTED_PAIRS = 10.0  # equal pairs by chance; if so many are expected and none exists, the numbers were assigned
MIN_APPROXIMATE_SHARE = 0.9  # of the cells, that an estimate of distinct ones has if none repeats
MAX_FIRST_ROWS = 100_000
GTIN_DIGITS = (8, 12, 13, 14)  # EAN, UPC and the like; the last digit checks the others
MIN_CHECKED_NUMBERS = 8  # by chance, the check digits of so many are right once in 10^8
MAX_CHECKED_NUMBERS = 200
COMPACT = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
COMPACT_RANGE = (1900, 2100)  # years, from and below
EPOCH_RANGE = (datetime(1990, 1, 1, tzinfo=UTC).timestamp(), datetime(2050, 1, 1, tzinfo=UTC).timestamp())
TIME_NAMES = re.compile(
    r"time|date|stamp|epoch|unix|created|updated|modified|(^|[^a-z])(ts|dt|at|on|when)$|[a-z](At|On|Ts)$", re.I
)
VERSION_NAMES = re.compile(r"(?i:(^|[^a-z])(version|release|firmware|ver|fw|build|rev)([^a-z]|$))|[a-z]Version$")
BOUND = re.compile(r"[<>≤≥~≈]=? ?[^A-Za-z]+|[^A-Za-z]+[*+†]")
_WHOLE = r"[0-9]+(?:\.0+)?"
_TELEPHONE = r"\+[0-9]{8,15}"


class WholeNumbers(NamedTuple):
    """What was counted of the cells of a column that are whole numbers without a sign.

    Parameters
    ----------
    cells : how many there are
    others : other numbers: with a sign, a fraction or an exponent
    zeros : cells that begin with 0 before another digit
    width, width_cells : the most frequent number of digits, and its cells
    shortest : number of digits
    distinct, distinct_floats : about how many different texts, and different numbers as float32, there are
    minimum, maximum : values
    """

    cells: int
    others: int
    zeros: int
    width: int
    width_cells: int
    shortest: int
    distinct: int
    distinct_floats: int
    minimum: float
    maximum: float


def date_of_digits(engine: Any, number: int, name: str, whole: WholeNumbers, *, is_time: bool) -> str:
    """Return the format by which a column of whole numbers is a date, or "".

    Bare digits such as 20240131 are dates if all values of the column are; a count since 1970, if the column's name
    says so too.

    Parameters
    ----------
    number, name : of the column
    whole : its numbers, which are all whole
    is_time : whether the pipeline file orders the rows by it
    """
    if whole.distinct < 2:
        return ""
    compact = COMPACT.get(whole.width)
    if compact and whole.width_cells == whole.cells and _are_dates(engine, number, compact, whole):
        return compact
    return _epoch(whole) if is_time or TIME_NAMES.search(name) else ""


def code_reason(engine: Any, number: int, whole: WholeNumbers) -> str:
    """Return why the numbers of a column are codes, for people, or "" if they are measures.

    Parameters
    ----------
    number : of the column
    whole : its numbers, which are all whole
    """
    if whole.zeros >= MIN_ZEROS_SHARE * whole.cells or (
        whole.zeros and whole.width_cells >= MIN_WIDTH_SHARE * whole.cells
    ):
        return "leading zeros"
    if whole.maximum <= MAX_EXACT_INTEGER:
        return ""
    if whole.width in GTIN_DIGITS and whole.width_cells == whole.cells and _are_checked(engine, number):
        return f"article numbers of {whole.width} digits, with their check digit"
    is_epoch = bool(_epoch(whole))
    if whole.distinct <= MAX_RECURRING_SHARE * whole.cells:
        distinct, floats = _count_distinct(engine, number)
        if distinct - floats >= max(1, MIN_LOST_SHARE * distinct):
            return "" if is_epoch and distinct > MAX_DISTINCT_CODES else _merged(distinct, floats)
    if is_epoch:
        return ""
    if whole.shortest >= MIN_EXACT_DIGITS:
        return f"whole numbers of {whole.shortest} digits or more"
    pairs = whole.cells * (whole.cells - 1) / (2 * (whole.maximum - whole.minimum + 1))
    if pairs >= MIN_EXPECTED_PAIRS and _none_repeats(engine, number, whole):
        return "no value repeats, where chance would give equal ones: they were assigned"
    if whole.distinct > 1 and whole.distinct - whole.distinct_floats >= MIN_LOST_DISTINCT * whole.distinct:
        return _merged(*_count_distinct(engine, number))
    return ""


def other_code_reason(engine: Any, number: int, name: str) -> str:
    """Return why numbers with a sign or a point are codes, or "": telephone numbers, and versions such as 1.10."""
    column = f"c{number}"
    plus, cells = engine.execute(
        f"SELECT count(*) FILTER ({column}[1] = '+'), count({column}) FROM clean_rows"
    ).fetchone()  # fmt: skip
    if plus and plus >= MIN_WIDTH_SHARE * cells:
        telephone = engine.execute(
            f"SELECT count(*) FROM clean_rows WHERE regexp_full_match({column}, '{_TELEPHONE}')"
        ).fetchone()[0]
        if telephone >= MIN_WIDTH_SHARE * cells:
            return "telephone numbers"
    if VERSION_NAMES.search(name):
        texts, numbers = engine.execute(
            f"SELECT count(DISTINCT {column}), count(DISTINCT {number_sql(column)}) FROM clean_rows"
            f" WHERE regexp_full_match({column}, '[0-9]+\\.[0-9]+')"
        ).fetchone()
        if texts > numbers:
            return "versions, where 1.1 is not 1.10"
    return ""


def may_be_code(text: str) -> bool:
    """Return whether a text beside whole numbers may be a code: it has digits, and is no bound such as >90 or 5*.

    >>> may_be_code("85123A"), may_be_code(">90"), may_be_code("n/a")
    (True, False, False)
    """
    return any(letter.isdigit() for letter in text) and not BOUND.fullmatch(text)


def has_check_digit(digits: str) -> bool:
    """Return whether the last digit checks the others as in EAN, UPC and GTIN.

    >>> has_check_digit("4006381333931"), has_check_digit("4006381333932")
    (True, False)
    """
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits[:-1])))
    return (weighted + int(digits[-1])) % 10 == 0


def _epoch(whole: WholeNumbers) -> str:
    """Return the format by which all numbers are moments of EPOCH_RANGE, or ""."""
    for format_, per_second in dates.EPOCHS.items():
        low, high = whole.minimum / per_second, whole.maximum / per_second
        if EPOCH_RANGE[0] <= low and high < EPOCH_RANGE[1]:
            return format_
    return ""


def count_whole(engine: Any, number: int) -> WholeNumbers | None:
    """Count the whole numbers of a column; None if it has none."""
    column = f"c{number}"
    is_whole = f"regexp_full_match({column}, '{_WHOLE}')"
    counts = engine.execute(
        f"""SELECT count(*) FILTER (whole), count(*) FILTER (NOT whole), count(*) FILTER (whole AND zero),
              mode(digits ORDER BY digits) FILTER (whole), min(digits) FILTER (whole),
              approx_count_distinct({column}) FILTER (whole), approx_count_distinct(value::FLOAT) FILTER (whole),
              min(value) FILTER (whole), max(value) FILTER (whole)
            FROM (SELECT {column}, {is_whole} AS whole, {number_sql(column)} AS value,
                    {column}[1] = '0' AND {column}[2] BETWEEN '0' AND '9' AS zero,
                    strlen(split_part({column}, '.', 1)) AS digits
                  FROM clean_rows) WHERE value IS NOT NULL"""
    ).fetchone()
    if not counts[0]:
        return None
    width_cells = engine.execute(
        f"SELECT count(*) FROM clean_rows WHERE {is_whole} AND strlen(split_part({column}, '.', 1)) = $1", [counts[3]]
    ).fetchone()[0]
    cells, others, zeros, width, *rest = counts
    return WholeNumbers(cells, others, zeros, width, width_cells, *rest)


def _merged(distinct: int, floats: int) -> str:
    return f"a model's numbers would make {floats:,} of {distinct:,} different ones"


def _count_distinct(engine: Any, number: int, where: str = "true") -> tuple[int, int]:
    """Return how many different texts, and different numbers as float32, the whole numbers of a column are."""
    counts: tuple[int, int] = engine.execute(
        f"SELECT count(DISTINCT c{number}), count(DISTINCT try_cast(c{number} AS FLOAT)) FROM clean_rows"
        f" WHERE regexp_full_match(c{number}, '{_WHOLE}') AND {where}"
    ).fetchone()
    return counts


def _none_repeats(engine: Any, number: int, whole: WholeNumbers) -> bool:
    if whole.distinct < MIN_APPROXIMATE_SHARE * whole.cells:
        return False
    query = f"SELECT count(c{number}) = count(DISTINCT c{number}) FROM clean_rows WHERE"
    query = f"{query} regexp_full_match(c{number}, '{_WHOLE}')"
    # among the first rows a measure repeats soon, which spares counting all
    first = engine.execute(f"{query} AND row_id <= {MAX_FIRST_ROWS}").fetchone()[0]
    return bool(first and engine.execute(query).fetchone()[0])


def _are_dates(engine: Any, number: int, format_: str, whole: WholeNumbers) -> bool:
    """Return whether all numbers are dates of COMPACT_RANGE, beside 00000000 and 99991231, which stand for none."""
    seconds = dates.sql(f"c{number}", format_)
    read, none, low, high = engine.execute(
        f"""SELECT count({seconds}), count(*) FILTER (regexp_full_match(c{number}, '0+')),
              min({seconds}), max({seconds}) FILTER (NOT starts_with(c{number}, '9999')) FROM clean_rows"""
    ).fetchone()
    start, end = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in COMPACT_RANGE)
    return bool(read + none == whole.cells and read > none and high is not None and start <= low and high < end)


def _are_checked(engine: Any, number: int) -> bool:
    fetched: Iterable[tuple[str]] = engine.execute(
        f"""SELECT DISTINCT split_part(c{number}, '.', 1) AS digits FROM clean_rows
            WHERE regexp_full_match(c{number}, '{_WHOLE}') ORDER BY digits LIMIT {MAX_CHECKED_NUMBERS}"""
    ).fetchall()
    checked = [digits for (digits,) in fetched]
    return len(checked) >= MIN_CHECKED_NUMBERS and all(map(has_check_digit, checked))
