"""True and false as text."""

from __future__ import annotations

from collections.abc import Iterable

PAIRS = (("true", "false"), ("yes", "no"), ("t", "f"), ("y", "n"))
TRUE = tuple(pair[0] for pair in PAIRS)
FALSE = tuple(pair[1] for pair in PAIRS)


def boolean_sql(column: str) -> str:
    """Return SQL for a stripped column as DOUBLE: 1 for a word of TRUE, 0 for one of FALSE, otherwise NULL."""
    return f"CASE WHEN lower({column}) IN {TRUE} THEN 1.0 WHEN lower({column}) IN {FALSE} THEN 0.0 END"


def is_boolean(text: str) -> bool:
    """Return whether a text is a word of TRUE or FALSE, in upper or lower case.

    >>> is_boolean("Yes"), is_boolean("1")
    (True, False)
    """
    return text.strip().lower() in {*TRUE, *FALSE}


def has_pair(words: Iterable[str]) -> bool:
    """Return whether both words of a pair occur, in lower case: F and N are two categories, not false and false.

    >>> has_pair(["yes", "no"]), has_pair(["f", "n"])
    (True, False)
    """
    found = set(words)
    return any(true in found and false in found for true, false in PAIRS)
