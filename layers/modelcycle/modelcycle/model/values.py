"""The meaning of a cell's text: missing, a number, true or false. For dates see `dates`.

Each rule exists as SQL, with which training reads whole columns in DuckDB, and as Python, with which serving and the
command line read single values. Both give the same result.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

TRUE = ("true", "yes", "t", "y")
FALSE = ("false", "no", "f", "n")
MAX_NUMBER = 3.4028234663852886e38  # the largest float32
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
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


def number(text: str) -> float | None:
    """Return the number of a text: digits with an optional sign, point and exponent. None for any other text.

    Other spellings that Python's `float` accepts (1_000, inf, nan, digits of other scripts) are not numbers here.

    >>> number(" -1.5e3 "), number("1,5")
    (-1500.0, None)
    """
    stripped = text.strip()
    return float(stripped) if re.fullmatch(_NUMBER, stripped) else None


def number_sql(column: str) -> str:
    """Return SQL for a stripped column as DOUBLE, NULL if it is not a number or exceeds MAX_NUMBER."""
    return (
        f"CASE WHEN regexp_full_match({column}, '{_NUMBER}') AND abs(try_cast({column} AS DOUBLE)) <= {MAX_NUMBER}"
        f" THEN try_cast({column} AS DOUBLE) END"
    )


def boolean_sql(column: str) -> str:
    """Return SQL for a stripped column as DOUBLE: 1 for a word of TRUE, 0 for one of FALSE, otherwise NULL."""
    return f"CASE WHEN lower({column}) IN {TRUE} THEN 1.0 WHEN lower({column}) IN {FALSE} THEN 0.0 END"


def is_boolean(text: str) -> bool:
    """Return whether a text is a word of TRUE or FALSE, in upper or lower case.

    >>> is_boolean("Yes"), is_boolean("1")
    (True, False)
    """
    return text.strip().lower() in {*TRUE, *FALSE}
