"""Texts and names in SQL statements."""

from __future__ import annotations

from pathlib import Path


def literal(text: str | Path) -> str:
    """Return a text as a SQL literal.

    >>> literal("it's")
    "'it''s'"
    """
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return the name of a column as SQL writes it.

    >>> print(identifier('the "best" one'))
    "the ""best"" one"
    """
    return '"' + name.replace('"', '""') + '"'
