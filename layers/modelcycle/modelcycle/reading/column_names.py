"""The rules for the column names of a file."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Sequence

from modelcycle.faults import BadData

MAX_COLUMNS = 1000
MAX_LISTED_NAMES = 15  # in a message
MAX_NAME_CHARACTERS = 60  # likewise
MAX_RENAMED = 3  # columns with the name of another that are named
PANDAS_UNNAMED = r"Unnamed: [0-9]+(_level_[0-9]+)?"  # how pandas calls a column without a name


def clean_names(names: list[str], where: str) -> tuple[list[str], list[str]]:
    """Return usable column names, and for people what was changed.

    White space around a name is removed; a column without a name is named by its number; of equal names, the further
    ones get a suffix.

    Raises
    ------
    BadData : there are too many

    Examples
    --------
    >>> clean_names(["", "age ", "sex", "sex"], "a.csv")
    (['column_1', 'age', 'sex', 'sex_2'], ['column 1 has no name: it is column_1', 'sex is named twice: the second is sex_2'])
    """  # noqa: E501
    if len(names) > MAX_COLUMNS:
        raise BadData(
            f"the file has {len(names):,} columns; the limit is {MAX_COLUMNS:,}", where,
            "keep the columns that matter, or combine sparse ones into fewer",
        )  # fmt: skip
    names = [name.strip() for name in names]
    unnamed = [number for number, name in enumerate(names) if not name or re.fullmatch(PANDAS_UNNAMED, name)]
    taken = {name for number, name in enumerate(names) if number not in set(unnamed)}
    for number in unnamed:
        names[number] = free_name(f"column_{number + 1}", taken)
        taken.add(names[number])
    notes = [_unnamed_note(unnamed[0] + 1, [names[number] for number in unnamed])] if unnamed else []
    seen: Counter[str] = Counter()
    unique = []
    twice = []
    for name in names:
        seen[name] += 1
        new = name
        if seen[name] > 1:
            new = free_name(f"{name}_{seen[name]}", taken)
            taken.add(new)
            twice.append((name, seen[name], new))
        unique.append(new)
    shown = [
        f"{_shown(name)} is named twice: the second is {_shown(new)}"
        if seen[name] == 2
        else f"{_shown(name)} is named {seen[name]} times: number {place} is {_shown(new)}"
        for name, place, new in twice[:MAX_RENAMED]
    ]
    more = [f"{len(twice) - MAX_RENAMED:,} more columns with the name of another got a number"]
    return unique, [*notes, *shown, *(more if len(twice) > MAX_RENAMED else [])]


def free_name(name: str, taken: set[str]) -> str:
    """Return the name, with a further suffix if another column has it.

    >>> free_name("sex_2", {"sex", "sex_2"})
    'sex_2_2'
    """
    new, number = name, 2
    while new in taken:
        new, number = f"{name}_{number}", number + 1
    return new


def _unnamed_note(first: int, names: list[str]) -> str:
    if len(names) == 1:
        return f"column {first} has no name: it is {names[0]}"
    return f"{len(names):,} columns have no name: they are {list_names(names)}"


def _shown(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARACTERS else f"{name[: MAX_NAME_CHARACTERS - 3]}..."


def check_second_column(names: list[str], where: str) -> None:
    """Check that there is a column besides the target.

    Raises
    ------
    BadData : there is only one column
    """
    if len(names) == 1:
        raise BadData(
            f"there is only one column, {names[0][:MAX_NAME_CHARACTERS]!r}", where,
            "add columns besides the target; separate them by comma, semicolon, tab or |",
        )  # fmt: skip


def suggest_name(name: str, names: Sequence[str]) -> str:
    """Return a question that suggests the most similar column, for the beginning of a message; "" if none is similar.

    >>> suggest_name("Incom", ["age", "income"])
    "did you mean 'income'? "
    """
    by_lower_name = {other.lower(): other for other in reversed(names)}
    similar = difflib.get_close_matches(name.lower(), by_lower_name, n=1)
    return f"did you mean {by_lower_name[similar[0]]!r}? " if similar else ""


def list_names(names: list[str]) -> str:
    """Return names for a message: at most `MAX_LISTED_NAMES`, each of at most `MAX_NAME_CHARACTERS`.

    >>> list_names(["age", "income"])
    'age, income'
    """
    listed = ", ".join(map(_shown, names[:MAX_LISTED_NAMES]))
    return listed if len(names) <= MAX_LISTED_NAMES else f"{listed}, ..."
