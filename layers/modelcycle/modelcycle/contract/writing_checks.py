"""Values that still parse, but are written otherwise: identifiers of another form, day and month exchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from modelcycle.cells import dates
from modelcycle.contract.batch import Batch
from modelcycle.contract.limits import DEFAULT
from modelcycle.contract.terms import ColumnTerms, Contract
from modelcycle.contract.violations import Violation
from modelcycle.spec import Rules

MIN_VALUES = 30
MAX_FORMS = 5  # of a column of identifiers; names and sentences have more
MIN_OTHER_SHARE = 0.5  # of the values, in a form that there was not
MAX_SPAN_SHARE = 1 / 3  # of the period, if day and month are read in the other order
MAX_MONTH = 12


def check_writing(batch: Batch, contract: Contract, rules: Rules) -> list[Violation]:
    """Return the columns that seem to be written otherwise than before."""
    found = []
    for name, then in contract.terms().items():
        if name not in batch.texts or name not in batch.readings or batch.readings[name].type != then.type:
            continue
        if then.is_identifier and name != contract.target.name:
            found += _other_form(batch, name, then, rules, is_key=name in contract.keys)
        elif then.type == "datetime":
            found += _other_order(batch, name, then, rules)
    return found


def form(text: str) -> str:
    """Return the form of an identifier.

    >>> form("ORD-0017/b"), form("0017")
    ('A-9/A', '9')
    """
    return re.sub(r"[^\W\d_]+", "A", re.sub(r"\d+", "9", text))


def _other_form(batch: Batch, name: str, then: ColumnTerms, rules: Rules, *, is_key: bool) -> list[Violation]:
    forms = {form(text) for text in then.levels}
    if not forms or len(forms) > MAX_FORMS:
        return []
    counts = batch.counts(name)
    values = sum(counts.values())
    other = {text: rows for text, rows in counts.items() if form(text) not in forms}
    how = f"as {cut_form(other)!r} instead of {cut_form(then.levels)!r} (A: letters, 9: digits)" if other else ""
    if not other and _is_padded(then.levels):
        other = {text: rows for text, rows in counts.items() if len(text) < len(then.levels[0])}
        how = "without their leading zeros"
    count = sum(other.values())
    if values < MIN_VALUES or count <= MIN_OTHER_SHARE * values:
        return []
    return [
        Violation(
            anomaly="UNEXPECTED_DATA_TYPE", check="type", column=name, count=count, of=values,
            level=rules.level("type", name, "ask" if is_key else "warn"),
            what=f"{name}: {count:,} of {values:,} values are written otherwise than before, {how}",
        )
    ]  # fmt: skip


def cut_form(texts: Iterable[str]) -> str:
    return form(next(iter(texts)))[:20]


def _is_padded(texts: list[str]) -> bool:
    """Return whether all texts have the same number of digits, some of them zeros in front."""
    return all(text.isdigit() for text in texts) and len({*map(len, texts)}) == 1 and any(t[0] == "0" for t in texts)


def _other_order(batch: Batch, name: str, then: ColumnTerms, rules: Rules) -> list[Violation]:
    """Return whether all dates can be read with day and month exchanged, and are closer together then.

    If there was no day above the twelfth before, nobody can tell.
    """
    reading = batch.readings[name]
    swapped = reading.format.replace("%d", "%_").replace("%m", "%d").replace("%_", "%m")
    if swapped == reading.format or not dates.is_format(swapped):
        return []
    if all(datetime.fromtimestamp(second, UTC).day <= MAX_MONTH for second in then.quantiles):
        return []
    as_is, other = batch.parsed(name), batch.parsed(name, reading.model_copy(update={"format": swapped}))
    values, read, span, other_span = batch.engine.execute(
        f"SELECT count({as_is}), count({other}), max({as_is}) - min({as_is}), max({other}) - min({other})"
        f" FROM {batch.source}"
    ).fetchone()
    if values < MIN_VALUES or read < values or other_span >= MAX_SPAN_SHARE * span:
        return []
    days, other_days = (round(seconds / 86_400) for seconds in (span, other_span))
    return [
        Violation(
            anomaly="UNEXPECTED_DATA_TYPE", check="type", column=name, count=values, of=batch.rows,
            level=rules.level("type", name, DEFAULT["type"]),
            what=f"{name}: all dates can be of the format {swapped} too, and are of {other_days:,} days then,"
            f" not of {days:,}: are day and month exchanged?",
        )
    ]  # fmt: skip
