"""Which texts mean a missing value."""

from __future__ import annotations

import re
from collections.abc import Iterable

USUAL = frozenset({
    "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "?",
})  # fmt: skip
"""Usual words for a missing value. In a column of numbers, dates, or true and false they are always missing; in a
column of texts only where `Reading.missing_values` says so, since None may be a class."""

_WHITE_SPACE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())  # what str.strip removes


def missing_texts(tokens: Iterable[str]) -> frozenset[str]:
    """Return the texts that mean a missing value, without white space around them; the empty text is always one.

    >>> is_missing("  n/a ", missing_texts(["n/a "]))
    True
    """
    return frozenset({"", *(token.strip() for token in tokens)})


def is_missing(text: str, missing: frozenset[str]) -> bool:
    """Return whether a text, without white space around it, is one of `missing_texts`."""
    return text.strip() in missing


def stripped_sql(column: str, tokens: Iterable[str]) -> str:
    """Return SQL for a column's text without white space around it, NULL for a missing value.

    It is one regular expression: `trim` with all white space takes four times as long, and `IN` takes much memory per
    column.

    Parameters
    ----------
    column : SQL of the text
    tokens : texts that mean a missing value
    """
    white = "[" + "".join(f"\\x{{{ord(character):x}}}" for character in _WHITE_SPACE) + "]"
    texts = "|".join(re.escape(text) for text in sorted(missing_texts(tokens)))
    pattern = f"^{white}*(?:{texts})?{white}*$|^{white}+|{white}+$".replace("'", "''")
    return f"nullif(regexp_replace({column}, '{pattern}', '', 'g'), '')"
