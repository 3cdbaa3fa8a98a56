"""The column names that a file may have."""

from __future__ import annotations

from collections import Counter

from modelcycle.faults import BadData, ColumnsDiffer

MAX_COLUMNS = 1000
SHOWN = 15  # names in a sentence


def checked(names: list[str], where: str) -> list[str]:
    """The names without the white space around them.

    Raises
    ------
    BadData : too many, or one is empty
    ColumnsDiffer : a name is duplicated
    """
    names = [name.strip() for name in names]
    if len(names) > MAX_COLUMNS:
        raise BadData(
            f"{len(names):,} columns are more than the {MAX_COLUMNS:,} that a model may have", where,
            "keep the columns that matter, or put sparse ones into fewer",
        )  # fmt: skip
    if "" in names:
        place = names.index("") + 1
        raise BadData(
            f"column {place} of {len(names)} has no name", where,
            "name it, or leave it out (pandas: to_csv(..., index=False))",
        )  # fmt: skip
    duplicated = [name for name, count in Counter(names).items() if count > 1]
    if duplicated:
        raise ColumnsDiffer(f"duplicated column names: {listed(duplicated)}", where, "give each column its own name")
    return names


def enough(names: list[str], where: str) -> None:
    """Whether there is a column beside the target.

    Raises
    ------
    BadData : there is one column only
    """
    if len(names) == 1:
        raise BadData(
            f"there is only one column, {names[0][:60]!r}", where,
            "a model needs a target and one more column; columns are separated by comma, semicolon, tab or |",
        )  # fmt: skip


def listed(names: list[str]) -> str:
    """The names for a sentence, `SHOWN` at most."""
    shown = ", ".join(name if len(name) <= 60 else f"{name[:57]}..." for name in names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown}, ..."
