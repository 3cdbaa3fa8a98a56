"""Why rows are no fair test of the champion: sentences with figures, for the person who then decides."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from modelcycle.find_unseen.snapshot import Cells
from modelcycle.model.fields import Field
from modelcycle.model.profile import Profile

MIN_UNSEEN_ROWS = 30
MAX_UNREADABLE_SHARE = 0.01  # of the values of a field; `preprocess` reads a column as numbers up to the same share
MIN_MISSING_JUMP = 0.1  # of a field's share of missing values, since the champion learned
MIN_STANDARD_ERRORS = 3.0  # by which that share must have risen; below it, it may be chance
MAX_SENTENCES = 5  # about fields
NOT_READABLE = {"number": "not numbers", "boolean": "neither true nor false", "datetime": "not dates of its format"}


def too_few(rows: int, seen: int, unseen: int, champion: int) -> list[str]:
    """Return a sentence if there are too few test rows that the champion has not learned from.

    >>> too_few(240, 231, 9, 1)
    ['of 240 test rows, version 1 has learned from 231; 30 others are needed']
    """
    if unseen >= MIN_UNSEEN_ROWS:
        return []
    return [f"of {rows:,} test rows, version {champion} has learned from {seen:,}; {MIN_UNSEEN_ROWS} others are needed"]


def missing_columns(names: Sequence[str], champion: int) -> list[str]:
    """Return a sentence if the data lack columns that the champion reads.

    >>> missing_columns(["income", "age"], 1)
    ['the data have no columns income and age, which version 1 reads']
    """
    return [f"the data have no {listed(names)}, which version {champion} reads"] if names else []


def listed(names: Sequence[str]) -> str:
    """Return column names for a sentence.

    >>> listed(["a"]), listed(list("abcdefg"))
    ('column a', 'columns a, b, c and 4 more')
    """
    if len(names) == 1:
        return f"column {names[0]}"
    shown, rest = (names[:-1], names[-1]) if len(names) <= 4 else (names[:3], f"{len(names) - 3} more")
    return f"columns {', '.join(shown)} and {rest}"


def unlike_before(cells: Mapping[str, Cells], fields: Sequence[Field], profile: Profile, champion: int) -> list[str]:
    """Return a sentence for each field that the champion can hardly read, or that is missing far more often.

    Parameters
    ----------
    cells : of the rows that the champion has not learned from, by field
    fields : of the champion
    profile : of the rows that it learned from
    """
    before = {column.name: column for column in profile.columns}
    sentences = []
    for field in fields:
        rows, present, readable = cells[field.name]
        scope = f"({rows:,} rows that it has not learned from)"
        if present - readable > MAX_UNREADABLE_SHARE * present:
            share = 100 * (present - readable) / present
            sentences.append(
                f"{field.name}: {share:.1f} % of the values are {NOT_READABLE[field.type]}, which version {champion}"
                f" reads {scope}"
            )
        then = before.get(field.name)
        if then is not None and _has_risen(then.missing, then.rows, rows - present, rows):
            sentences.append(
                f"{field.name} is missing in {100 * (rows - present) / rows:.0f} % of the rows,"
                f" {100 * then.missing_share:.0f} % when version {champion} learned {scope}"
            )
    if len(sentences) > MAX_SENTENCES:
        more = len(sentences) - MAX_SENTENCES
        return [*sentences[:MAX_SENTENCES], f"{more} more such differences"]
    return sentences


def _has_risen(missing_then: int, rows_then: int, missing: int, rows: int) -> bool:
    """Return whether the share of missing values has risen by MIN_MISSING_JUMP, and beyond chance.

    By the two-proportion z test with pooled variance (NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3).

    >>> _has_risen(0, 1000, 60, 600), _has_risen(0, 1000, 66, 600), _has_risen(100, 200, 18, 30)
    (False, True, False)
    """
    if not rows or not rows_then:
        return False
    jump = missing / rows - missing_then / rows_then
    pooled = (missing + missing_then) / (rows + rows_then)
    error = math.sqrt(pooled * (1 - pooled) * (1 / rows + 1 / rows_then))
    return jump > MIN_MISSING_JUMP and jump > MIN_STANDARD_ERRORS * error
