"""What the text of a cell says: nothing, a number, true or false. Dates: see `dates`.

Each rule stands here as SQL, by which training reads whole columns in DuckDB, and as Python, by which serving and the
command line read single values; both give the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

TRUE = ("true", "yes", "t", "y")
FALSE = ("false", "no", "f", "n")
MAX_NUMBER = 3.4028234663852886e38  # of a float32
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_WHITE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())  # what str.strip takes off


def missing_texts(tokens: Iterable[str]) -> frozenset[str]:
    """The texts that mean a missing value, without the white space around them; the empty text always does.

    >>> is_missing("  n/a ", missing_texts(["n/a "]))
    True
    """
    return frozenset({"", *(token.strip() for token in tokens)})


def is_missing(text: str, missing: frozenset[str]) -> bool:
    """Whether a cell's text is one of `missing_texts`, whatever white space is around it."""
    return text.strip() in missing


def stripped_sql(column: str, tokens: Iterable[str]) -> str:
    """SQL of a column's text without the white space around it, NULL where the value is missing.

    One pattern, since `trim` with these characters takes four times as long, and `IN` much memory for each column.
    """
    white = "[" + "".join(f"\\x{{{ord(character):x}}}" for character in _WHITE) + "]"
    texts = "|".join(re.escape(text) for text in sorted(missing_texts(tokens)))
    pattern = f"^{white}*(?:{texts})?{white}*$|^{white}+|{white}+$".replace("'", "''")
    return f"nullif(regexp_replace({column}, '{pattern}', '', 'g'), '')"


def number(text: str) -> float | None:
    """The number that a text spells, None where it spells none: digits with an optional sign, point and exponent.

    The spellings that Python reads beside (1_000, inf, nan, digits of other scripts) are none.

    >>> number(" -1.5e3 "), number("1,5")
    (-1500.0, None)
    """
    stripped = text.strip()
    return float(stripped) if re.fullmatch(_NUMBER, stripped) else None


def number_sql(column: str) -> str:
    """SQL of a stripped column as DOUBLE, NULL where it is no number or more than MAX_NUMBER."""
    return (
        f"CASE WHEN regexp_full_match({column}, '{_NUMBER}') AND abs(try_cast({column} AS DOUBLE)) <= {MAX_NUMBER}"
        f" THEN try_cast({column} AS DOUBLE) END"
    )


def boolean_sql(column: str) -> str:
    """SQL of a stripped column as DOUBLE 1 or 0 by the words of TRUE and FALSE, NULL where it is neither."""
    return f"CASE WHEN lower({column}) IN {TRUE} THEN 1.0 WHEN lower({column}) IN {FALSE} THEN 0.0 END"


def is_boolean(text: str) -> bool:
    """Whether a text is a word of TRUE or FALSE, in any case.

    >>> is_boolean("Yes"), is_boolean("1")
    (True, False)
    """
    return text.strip().lower() in {*TRUE, *FALSE}
