"""Cells that do not parse, or are missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

from modelcycle.cells import dates
from modelcycle.cells.reading import Reading
from modelcycle.contract.batch import Batch, Cells
from modelcycle.contract.limits import (
    DECLARED,
    DEFAULT,
    MAX_BROKEN_SHARE,
    MAX_UNLIKE_SHARE,
    MIN_BROKEN_CELLS,
    MIN_MISSING_JUMP,
    MIN_STANDARD_ERRORS,
)
from modelcycle.contract.shifts import cut
from modelcycle.contract.terms import ColumnTerms, Contract
from modelcycle.contract.violations import Anomaly, Violation, with_share
from modelcycle.model.proportions import proportions_z
from modelcycle.spec import Level, Rules

NOT_READABLE = {"number": "not numbers", "boolean": "neither true nor false", "datetime": "not dates of its format"}
MAX_NAMED = 3  # words in a sentence
_COMMA = re.compile(r"\D{0,3}[+-]?\d{1,3}(?:[. '\u00a0\u2019]?\d{3})*,\d+\D{0,3}")
_POINT = re.compile(r"\D{0,3}[+-]?\d{1,3}(?:[, '\u00a0\u2019]?\d{3})*\.\d+\D{0,3}")


def check_type(batch: Batch, cells: Mapping[str, Cells], contract: Contract | None, rules: Rules) -> list[Violation]:
    """Return the columns with values that do not parse as they were read before, and texts that are numbers now."""
    terms = contract.terms() if contract is not None else {}
    found = []
    for name, (_, present, read) in cells.items():
        reading, then = batch.readings[name], terms.get(name)
        if reading.type == "text":
            found += _texts_now_numbers(batch, name, then, rules)
            continue
        unread = present - read
        if not unread:
            continue
        share = unread / present
        before = then.unread / max(then.rows - then.missing + then.unread, 1) if then is not None else 0.0
        default: Level = DEFAULT["type"]
        if unread < MIN_BROKEN_CELLS or share <= before + MAX_BROKEN_SHARE:
            default = "warn"
        elif share > MAX_UNLIKE_SHARE:
            default = "fail"
        likely = _likely_reading(reading, batch.sample_unread(name))
        was = f"; {100 * before:.1f} % before" if before else ""
        found.append(
            Violation(
                anomaly=_type_anomaly(reading, then), check="type", level=rules.level("type", name, default),
                column=name, count=unread, of=present,
                what=f"{name}: {with_share(unread, present)} are {NOT_READABLE[reading.type]}{likely}{was}",
                examples=batch.examples(batch.unread(name), batch.texts[name]),
            )
        )  # fmt: skip
    return found


def check_missing(batch: Batch, cells: Mapping[str, Cells], contract: Contract | None, rules: Rules) -> list[Violation]:
    """Return the columns that are missing more often than the rules allow, or far more often than before."""
    terms = contract.terms() if contract is not None else {}
    found = []
    for name, (rows, present, _) in cells.items():
        missing, limit, then = rows - present, rules.column(name).missing, terms.get(name)
        if not missing:
            continue
        if limit is not None:
            if missing <= limit * rows:
                continue
            level, told = rules.level("missing", name, DECLARED["missing"]), f"the rule allows {limit:.1%}"
        elif then is not None and _has_risen(then.missing - then.unread, then.rows, missing, rows):
            level = rules.level("missing", name, DEFAULT["missing"])
            told = f"{max(then.missing - then.unread, 0) / then.rows:.1%} before"
        else:
            continue
        anomaly: Anomaly = "FEATURE_TYPE_LOW_FRACTION_PRESENT" if present else "FEATURE_TYPE_NOT_PRESENT"
        words = _missing_words(batch, name)
        what = f"{name} is missing in {missing / rows:.1%} of the rows, {told}".replace("%", " %") + words
        is_missing = f"({batch.present(name)}) IS NULL"
        found.append(
            Violation(
                anomaly=anomaly, check="missing", level=level, column=name, what=what, count=missing, of=rows,
                examples=batch.examples(is_missing, batch.texts[name]),
            )
        )  # fmt: skip
    return found


def _type_anomaly(reading: Reading, then: ColumnTerms | None) -> Anomaly:
    if reading.type == "number":
        return "INT_TYPE_NOT_INT_STRING" if then is not None and then.whole else "FLOAT_TYPE_STRING_NOT_FLOAT"
    return "BOOL_TYPE_UNEXPECTED_STRING" if reading.type == "boolean" else "UNEXPECTED_DATA_TYPE"


def _likely_reading(reading: Reading, sample: Mapping[str, int]) -> str:
    """Return how most of the texts that do not parse are likely written, as the end of a sentence.

    >>> _likely_reading(Reading(type="number"), {"1.234,56": 5, "12,5": 9})
    '; they look like numbers with a decimal comma'
    >>> _likely_reading(Reading(type="datetime", format="%Y-%m-%d"), {"31.12.2024": 2})
    '; they look like dates of the format %d.%m.%Y'
    """
    total = sum(sample.values())

    def most(is_like: Callable[[str], bool]) -> bool:
        return sum(count for text, count in sample.items() if is_like(text)) > total / 2

    if reading.type == "number":
        # a comma before one or two digits, or before three of them with a point, is a decimal one
        if most(lambda text: _COMMA.fullmatch(text) is not None):
            return "; they look like numbers with a decimal comma"
        if "," in reading.format and most(lambda text: _POINT.fullmatch(text) is not None):
            return "; they look like numbers with a decimal point"
        if most(lambda text: re.search(r"\d", text) is not None and len(text) < 30):
            return "; they look like numbers with a unit, or written otherwise"
    if reading.type == "datetime":
        likely = next((other for other in dates.FORMATS if most(partial(dates.is_date, format=other))), None)
        if likely is not None:
            return f"; they look like dates of the format {likely}"
    return ""


def _missing_words(batch: Batch, name: str) -> str:
    """Return which words mean the missing values of a column, as the end of a sentence."""
    words = batch.engine.execute(
        f"SELECT {batch.texts[name]} AS text, count(*) AS cells FROM {batch.source}"
        f" WHERE ({batch.present(name)}) IS NULL AND ({batch.texts[name]}) IS NOT NULL"
        f" GROUP BY text ORDER BY cells DESC, text LIMIT {MAX_NAMED}"
    ).fetchall()
    named = ", ".join(f"{cut(text)!r} in {cells:,}" for text, cells in words)
    return f"; written as {named}" if named else ""


def _has_risen(missing_then: int, rows_then: int, missing: int, rows: int) -> bool:
    """Return whether the share of missing values has risen by MIN_MISSING_JUMP, and beyond chance.

    >>> _has_risen(0, 1000, 12, 600), _has_risen(0, 1000, 60, 600), _has_risen(100, 200, 18, 30)
    (False, True, False)
    """
    missing_then = max(missing_then, 0)
    jump = missing / rows - missing_then / rows_then
    return jump > MIN_MISSING_JUMP and proportions_z(missing, rows, missing_then, rows_then) > MIN_STANDARD_ERRORS


def _texts_now_numbers(batch: Batch, name: str, then: ColumnTerms | None, rules: Rules) -> list[Violation]:
    """Return that nearly all texts of a column are numbers now, if few were."""
    if then is None or then.type != "text" or not then.levels:
        return []
    number = Reading(type="number")
    counts = dict(zip(then.levels, then.counts, strict=False))
    numbers = sum(rows for text, rows in counts.items() if re.fullmatch(r"[\d.,+\-eE\s]+", text))
    if numbers > 0.1 * sum(counts.values()):
        return []
    present, read, whole = batch.engine.execute(
        f"SELECT count({batch.present(name)}), count({batch.parsed(name, number)}),"
        f" count(*) FILTER ({batch.parsed(name, number)} % 1 = 0) FROM {batch.source}"
    ).fetchone()
    if present < MIN_BROKEN_CELLS or read < 0.9 * present:
        return []
    what = f"{name}: {with_share(read, present)} are numbers; it held texts before"
    return [
        Violation(
            anomaly="STRING_TYPE_NOW_INT" if whole == read else "STRING_TYPE_NOW_FLOAT", check="type",
            level=rules.level("type", name, DEFAULT["type"]), column=name, what=what, count=read, of=present,
            examples=batch.examples(f"{batch.parsed(name, number)} IS NOT NULL", batch.texts[name]),
        )
    ]  # fmt: skip
