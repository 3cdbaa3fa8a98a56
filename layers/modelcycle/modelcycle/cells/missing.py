"""Which texts mean a missing value."""

from __future__ import annotations

import re
from collections.abc import Iterable

MARKS = frozenset({
    "N/A", "n/a", "N/a", "N.A.", "n.a.", "#N/A", "#n/a", "#N/A N/A", "#NA", "#VALUE!", "#REF!", "#DIV/0!", "#NUM!",
    "#NAME?", "#NULL!", "NaN", "nan", "NAN", "-NaN", "-nan", "NaT", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
    "null", "NULL", "<NA>", "<na>", "<null>", "<NULL>", "(null)", "(NULL)", "[null]", "[NULL]", r"\N",
    "-", "--", "---", "\u2013", "\u2014", ".", "..", "...", "?", "??", "???", "(blank)", "(none)",
})  # fmt: skip
"""What programs (pandas, R, SQL, Excel, SAS) write for a missing value, and nobody for anything else."""

WORDS = frozenset({
    "NA", "na", "Na", "None", "none", "NONE", "Null", "nil", "Nil", "NIL", "unknown", "Unknown", "UNKNOWN", "missing",
    "Missing", "MISSING", "undefined", "Undefined", "empty", "Empty", "EMPTY", "blank", "Blank", "not available",
    "Not available", "Not Available", "not applicable", "Not applicable", "Not Applicable", "no data", "No data",
    "No Data", "not known", "Not known", "unspecified", "Unspecified", "TBD", "tbd", "n.d.", "k.A.", "k. A.",
})  # fmt: skip
"""Words that often mean a missing value, and may be a value: None is a class of damage, NA is Namibia."""

INFINITE = frozenset({
    f"{sign}{word}"
    for sign in ("", "+", "-")
    for word in ("inf", "Inf", "INF", "infinity", "Infinity", "INFINITY", "\u221e", "1.#INF")
})  # fmt: skip
"""Infinite numbers: a model has no use for them."""

USUAL = MARKS | WORDS | INFINITE
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
