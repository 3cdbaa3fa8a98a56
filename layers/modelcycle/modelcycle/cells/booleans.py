"""True and false as text."""

from __future__ import annotations

TRUE = ("true", "yes", "t", "y")
FALSE = ("false", "no", "f", "n")


def boolean_sql(column: str) -> str:
    """Return SQL for a stripped column as DOUBLE: 1 for a word of TRUE, 0 for one of FALSE, otherwise NULL."""
    return f"CASE WHEN lower({column}) IN {TRUE} THEN 1.0 WHEN lower({column}) IN {FALSE} THEN 0.0 END"


def is_boolean(text: str) -> bool:
    """Return whether a text is a word of TRUE or FALSE, in upper or lower case.

    >>> is_boolean("Yes"), is_boolean("1")
    (True, False)
    """
    return text.strip().lower() in {*TRUE, *FALSE}
