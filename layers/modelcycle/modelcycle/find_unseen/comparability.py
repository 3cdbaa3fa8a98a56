"""Why rows are no fair test of the champion: sentences with figures, for the person who then decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from modelcycle.find_unseen.snapshot import Cells
from modelcycle.model.fields import Field
from modelcycle.model.profile import Profile
from modelcycle.model.proportions import proportions_z

MIN_UNSEEN_ROWS = 30
MAX_UNREADABLE_SHARE = 0.01  # of the values of a field; `preprocess` reads a column as numbers up to the same share
MIN_MISSING_JUMP = 0.1  # of a field's share of missing values, since the champion learned
MIN_STANDARD_ERRORS = 3.0  # by which that share must have risen; below it, it may be chance
MAX_DIFFERENCES = 5  # that are named
NOT_READABLE = {"number": "not numbers", "boolean": "neither true nor false", "datetime": "not dates of its format"}


def rewritten_columns(columns: list[str], champion: int) -> list[str]:
    """Return the sentence for columns by which learned rows can no longer be found."""
    if not columns:
        return []
    return [
        f"most rows that version {champion} has learned from cannot be found by {listed(columns)}, but their values in"
        " what it reads are all there: the same rows may have been written anew"
    ]


def too_few(rows: int, seen: int, unseen: int, champion: int, *, by_group: bool = False) -> list[str]:
    """Return a sentence if there are too few test rows that the champion has not learned from.

    Parameters
    ----------
    by_group : whether it knows rows by their group; otherwise by their values, which new rows may have as well

    Examples
    --------
    >>> too_few(240, 231, 9, 1)
    ['231 of 240 test rows cannot be told from rows that version 1 has learned from; 30 others are needed']
    """
    if unseen >= MIN_UNSEEN_ROWS:
        return []
    what = f"{'are of groups' if by_group else 'cannot be told from rows'} that version {champion} has learned from"
    return [f"{seen:,} of {rows:,} test rows {what}; {MIN_UNSEEN_ROWS} others are needed"]


def other_target(before: str, now: str, champion: int) -> list[str]:
    """Return a sentence if the champion predicts another column.

    >>> other_target("left", "bonus", 1)
    ["version 1 predicts 'left', the new model 'bonus'"]
    """
    return [f"version {champion} predicts {before!r}, the new model {now!r}"] if before != now else []


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


class Difference(NamedTuple):
    """A field that the champion can hardly read, or that is missing far more often than when it learned."""

    field: Field
    kind: Literal["unreadable", "missing"]
    missing_then: float  # share of its values, 0 to 1

    def share(self, cells: Cells) -> float:
        """Return the share of the cells that it is about: of those with a value, or of all."""
        if self.kind == "unreadable":
            return (cells.present - cells.readable) / max(cells.present, 1)
        return (cells.rows - cells.present) / max(cells.rows, 1)


def differences(cells: Mapping[str, Cells], fields: Sequence[Field], profile: Profile) -> list[Difference]:
    """Return how the rows differ from those that the champion has learned from.

    Parameters
    ----------
    cells : of the rows that the champion has not learned from, by field
    fields : of the champion, and other columns by which the rows that it knows are found
    profile : of the rows that it learned from
    """
    before = {column.name: column for column in profile.columns}
    found = []
    for field in fields:
        rows, present, readable = cells[field.name]
        then = before.get(field.name)
        missing_then = then.missing_share if then is not None else 0.0
        if present - readable > MAX_UNREADABLE_SHARE * present:
            found.append(Difference(field, "unreadable", missing_then))
        if then is not None and _has_risen(then.missing, then.rows, rows - present, rows):
            found.append(Difference(field, "missing", missing_then))
    return found


def sentence(difference: Difference, by_file: Mapping[str, Cells], champion: int, *, is_read: bool = True) -> str:
    """Return what a difference is, in how many rows, and in which file most of it is.

    Parameters
    ----------
    by_file : the cells of its field in the rows that the champion has not learned from
    is_read : whether the champion's model reads the field; otherwise the rows that it knows are found by it

    Examples
    --------
    >>> income = Difference(Field(name="income", type="number"), "unreadable", 0.0)
    >>> sentence(income, {"feb.csv": Cells(200, 200, 180)}, 1)
    'income: 10.0 % of the values are not numbers, which version 1 reads (200 rows that it has not learned from)'
    >>> sentence(income._replace(kind="missing"), {"jan.csv": Cells(100, 100, 100), "feb.csv": Cells(100, 40, 40)}, 1)
    'income is missing in 30 % of the rows, 0 % when version 1 learned (200 rows that it has not learned from; 60 % in\
 feb.csv)'
    """
    field, cells = difference.field, Cells(*(sum(counts) for counts in zip(*by_file.values(), strict=True)))
    decimals = 1 if difference.kind == "unreadable" else 0
    share = f"{100 * difference.share(cells):.{decimals}f} %"
    scope = f"{cells.rows:,} rows that it has not learned from"
    if len(by_file) > 1:
        name, worst = max(by_file.items(), key=lambda item: difference.share(item[1]) * item[1].rows)
        scope += f"; {100 * difference.share(worst):.{decimals}f} % in {name}"
    if difference.kind == "unreadable":
        what, use = NOT_READABLE[field.type], "reads" if is_read else "knows its rows by"
        return f"{field.name}: {share} of the values are {what}, which version {champion} {use} ({scope})"
    then = f"{100 * difference.missing_then:.0f} % when version {champion} learned"
    return f"{field.name} is missing in {share} of the rows, {then} ({scope})"


def _has_risen(missing_then: int, rows_then: int, missing: int, rows: int) -> bool:
    """Return whether the share of missing values has risen by MIN_MISSING_JUMP, and beyond chance.

    >>> _has_risen(0, 1000, 60, 600), _has_risen(0, 1000, 66, 600), _has_risen(100, 200, 18, 30)
    (False, True, False)
    """
    if not rows or not rows_then:
        return False
    jump = missing / rows - missing_then / rows_then
    return jump > MIN_MISSING_JUMP and proportions_z(missing, rows, missing_then, rows_then) > MIN_STANDARD_ERRORS
