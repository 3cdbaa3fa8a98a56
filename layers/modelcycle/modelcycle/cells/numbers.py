"""Numbers as text, and their values.

`preprocess` reads whole columns in DuckDB (`number_sql`), serving reads single values (`number`); both give the same
number.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from modelcycle.cells.units import WORD, unit_pattern

MAX_NUMBER = 3.4028234663852886e38  # the largest float32
NumberFormat = Literal["1234.56", "1234,56", "1,234.56", "1.234,56", "1 234.56", "1 234,56", "1'234.56", "1'234,56"]
"""How numbers are written, by their thousands separator and decimal mark. With any of these, a currency, a percent
sign, and brackets for a negative number are allowed; without one (""), numbers are digits with a point. "1234.56 kg"
is one of these with a unit, which a single text may lack; then no currency is allowed."""

NUMBER_FORMATS: tuple[NumberFormat, ...] = (
    "1234.56", "1,234.56", "1 234.56", "1'234.56", "1234,56", "1.234,56", "1 234,56", "1'234,56",
)  # fmt: skip
"""In order of preference, where several read a text: "1,234" has a thousands separator, unless other values say
otherwise."""

PLAIN = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
CURRENCY_CODES = (
    "AED", "ARS", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CZK", "DKK", "EGP", "EUR", "GBP", "HKD",
    "HUF", "IDR", "ILS", "INR", "JPY", "KES", "KRW", "MXN", "MYR", "NGN", "NOK", "NZD", "PHP", "PKR", "PLN", "RMB",
    "RON", "RUB", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VND", "ZAR",
)  # fmt: skip
_CURRENCY = (
    "(?:(?:US|AU|A|C|CA|HK|NZ|R|S|NT)?[$]|[€£¥₹₽₩₺₫₴₪₱฿₦₡₸]|"
    rf"(?:{'|'.join(CURRENCY_CODES)})\b|(?:kr|zł|Kč|Rs|Fr|Ft|lei|SFr)\b\.?)"
)
_BLANK = "[ \u00a0\u2009\u202f]"
_MINUS = "-\u2212"  # hyphen (first, so that a class of characters has no range) and minus sign
_SEPARATORS = {"": "", ",": ",", ".": r"\.", " ": _BLANK, "'": "['\u2019]"}


def number(text: str, format: str = "") -> float | None:  # noqa: A002 (as `Reading` names it)
    """Return the number of a text, None for any other text.

    Without a format that is digits with an optional sign, point and exponent. Other spellings that Python's `float`
    accepts (1_000, inf, nan, digits of other scripts) are not numbers here.

    Parameters
    ----------
    format : "" or one of NUMBER_FORMATS

    Examples
    --------
    >>> number(" -1.5e3 "), number("1,5")
    (-1500.0, None)
    >>> number("1.234,50 €", "1.234,56"), number("(12.30)", "1234.56"), number("$1,200-", "1,234.56")
    (1234.5, -12.3, -1200.0)
    """
    stripped = text.strip()
    if not format:
        return float(stripped) if re.fullmatch(PLAIN, stripped) else None
    match = re.fullmatch(_pattern(format), stripped)
    if match is None:
        return None
    before, body, after = match.groups()
    sign = {"": 1.0, "+": 1.0, "-": -1.0, "()": -1.0}.get(_signs(before + after.replace("/-", "")))
    thousands, mark = separators(format)
    digits = re.sub(_SEPARATORS[thousands], "", body) if thousands else body
    return None if sign is None else sign * float(digits.replace(mark, "."))


def number_sql(column: str, format: str = "") -> str:  # noqa: A002
    """Return SQL for a stripped column as DOUBLE, NULL if it is not a number of the format or exceeds MAX_NUMBER."""
    if not format:
        return (
            f"CASE WHEN regexp_full_match({column}, '{PLAIN}') AND abs(try_cast({column} AS DOUBLE)) <= {MAX_NUMBER}"
            f" THEN try_cast({column} AS DOUBLE) END"
        )
    pattern = _pattern(format).replace("'", "''")
    parts = f"regexp_extract({column}, '^(?:{pattern})$', ['before', 'body', 'after'])"
    signs = f"regexp_replace({parts}.before || replace({parts}.after, '/-', ''), '[^{_MINUS}+()]', '', 'g')"
    thousands, mark = separators(format)
    digits = f"{parts}.body"
    if thousands:
        separator = _SEPARATORS[thousands].replace("'", "''")
        digits = f"regexp_replace({digits}, '{separator}', '', 'g')"
    value = f"try_cast(replace({digits}, '{mark}', '.') AS DOUBLE)"
    return (
        f"CASE WHEN abs({value}) <= {MAX_NUMBER} THEN CASE WHEN {signs} IN ('', '+') THEN {value}"
        f" WHEN {signs} IN ('-', '\u2212', '()') THEN -{value} END END"
    )


def split_unit(format: str) -> tuple[str, str]:  # noqa: A002
    """Return a format without its unit, and the unit.

    >>> split_unit("1 234,56 km/h"), split_unit("1234.56"), split_unit("")
    (('1 234,56', 'km/h'), ('1234.56', ''), ('', ''))
    """
    for known in NUMBER_FORMATS:
        if format.startswith(f"{known} "):
            return known, format[len(known) + 1 :]
    return format, ""


def is_number_format(format: str) -> bool:  # noqa: A002
    """Return whether numbers may be written so.

    >>> is_number_format("1.234,56"), is_number_format("1234.56 kg"), is_number_format("kg"), is_number_format("")
    (True, True, False, False)
    """
    known, unit = split_unit(format)
    return known in NUMBER_FORMATS and (known == format or re.fullmatch(WORD, unit) is not None)


def separators(format: str) -> tuple[str, str]:  # noqa: A002
    """Return the thousands separator, or "", and the decimal mark of a format.

    >>> separators("1.234,56"), separators("1234.56")
    (('.', ','), ('', '.'))
    """
    known = split_unit(format)[0]
    return known[1] if not known[1].isdigit() else "", known[-3]


def _signs(text: str) -> str:
    return "".join(letter for letter in text if letter in f"{_MINUS}+()").replace("\u2212", "-")


@cache
def _pattern(format: str) -> str:  # noqa: A002
    """Return the regular expression of a format, in the syntax that Python and DuckDB (RE2) share.

    Its groups: what is before the digits, the digits with their separators, and what is after them. The first group of
    digits before a thousands separator has no leading zero: 0,123 is a decimal comma.
    """
    thousands, mark = separators(format)
    whole = "[0-9]+"
    if thousands:
        separator = _SEPARATORS[thousands]
        indian = f"|[1-9][0-9]?(?:{separator}[0-9]{{2}})+{separator}[0-9]{{3}}" if thousands == "," else ""
        whole = f"(?:[1-9][0-9]{{0,2}}(?:{separator}[0-9]{{3}})+{indian}|[0-9]+)"
    point = rf"\{mark}" if mark == "." else mark
    # nobody separates thousands before an exponent: 4,341E+00 has a decimal comma
    exponent = rf"[0-9]+(?:{point}[0-9]*)?[eE][+-]?[0-9]+"
    body = rf"{exponent}|{whole}(?:{point}[0-9]*)?|{point}[0-9]+"
    sign, unit = f"[+(\u2212-]?{_BLANK}?", split_unit(format)[1]
    currency = f"(?:{_CURRENCY}{_BLANK}?)?" if not unit else ""
    behind = unit_pattern(unit) if unit else f"{_CURRENCY}|[%\u2030]"
    after = f"(?:/-)?(?:{_BLANK}?(?:{behind}))?{_BLANK}?[)\u2212-]?"
    return f"({sign}{currency}[+\u2212-]?)({body})({after})"
