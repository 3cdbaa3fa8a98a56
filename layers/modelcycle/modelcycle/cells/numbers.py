"""Numbers as text, and their values."""

from __future__ import annotations

import re
from typing import Literal

MAX_NUMBER = 3.4028234663852886e38  # the largest float32
NumberFormat = Literal["1234.56", "1234,56", "1,234.56", "1.234,56", "1 234.56", "1 234,56", "1'234.56", "1'234,56"]
"""How numbers are written, by their thousands separator and decimal mark. With any of these, a currency, a percent
sign, and brackets for a negative number are allowed; without one (""), numbers are digits with a point."""

_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"


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
