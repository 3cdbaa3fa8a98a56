"""The rules for the column names of a file."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence

from modelcycle.faults import BadData, ColumnsDiffer

MAX_COLUMNS = 1000
MAX_LISTED_NAMES = 15  # in a message
MAX_NAME_CHARACTERS = 60  # likewise


def clean_names(names: list[str], where: str) -> list[str]:
    """Return the column names without the white space around them.

    Raises
    ------
    BadData : there are too many, or one is empty
    ColumnsDiffer : a name is duplicated

    Examples
    --------
    >>> clean_names(["age ", "income"], "a.csv")
    ['age', 'income']
    """
    names = [name.strip() for name in names]
    if len(names) > MAX_COLUMNS:
        raise BadData(
            f"the file has {len(names):,} columns; the limit is {MAX_COLUMNS:,}", where,
            "keep the columns that matter, or combine sparse ones into fewer",
        )  # fmt: skip
    if "" in names:
        raise BadData(
            f"column {names.index('') + 1} of {len(names)} has no name", where,
            "name it, or remove it (pandas: to_csv(..., index=False))",
        )  # fmt: skip
    duplicates = [name for name, count in Counter(names).items() if count > 1]
    if duplicates:
        raise ColumnsDiffer(
            f"duplicated column names: {list_names(duplicates)}", where, "give each column a name of its own"
        )
    return names


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
    listed = ", ".join(
        name if len(name) <= MAX_NAME_CHARACTERS else f"{name[: MAX_NAME_CHARACTERS - 3]}..."
        for name in names[:MAX_LISTED_NAMES]
    )
    return listed if len(names) <= MAX_LISTED_NAMES else f"{listed}, ..."
