"""The fields of a prediction request: how the JSON value of each becomes a typed value, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pydantic

from modelcycle.cells import dates
from modelcycle.cells.numbers import MAX_NUMBER
from modelcycle.cells.reading import ColumnType, Reading, parsed_number
from modelcycle.model.columns import Texts, Values

MAX_QUOTED_CHARACTERS = 40  # of a value that a message quotes


class Field(Reading):
    """One column that a request must have; null is a missing value.

    Parameters
    ----------
    name : of the column
    type, format, true, false, missing_values : see `cells.reading.Reading`
    example : a value as a request would have it
    levels : some frequent texts of the training rows, for people
    """

    name: str
    example: float | str | bool | None = None
    levels: list[str] = pydantic.Field([])


def parse_value(value: Any, field: Field) -> float | str:
    """Return the typed value of a JSON value that is not missing.

    Returns
    -------
    a text; or a number, 0 or 1, or seconds since 1970 UTC

    Raises
    ------
    ValueError : says what is expected

    Examples
    --------
    >>> parse_value("yes", Field(name="member", type="boolean", true=["yes"], false=["no"]))
    1.0
    """
    return PARSERS[field.type](value, field)


def typed_values(values: Sequence[Any], kind: ColumnType) -> Values:
    """Return a column (n,) of parsed values, None for a missing one."""
    if kind == "text":
        return Texts.of([value or None for value in values])
    dtype = np.float64 if kind == "datetime" else np.float32
    return np.array([np.nan if value is None else value for value in values], dtype=dtype)


def has_type(values: Values, kind: ColumnType) -> bool:
    """Return whether a column is typed as `typed_values` would type it."""
    if isinstance(values, Texts) or kind == "text":
        return isinstance(values, Texts) and kind == "text"
    return (values.dtype == np.float64) == (kind == "datetime")


def json_values(values: Values, field: Field) -> list[Any]:
    """Return a column as a request would have it, None for a missing value; the inverse of `parse_value`."""
    if isinstance(values, Texts):
        return [values.levels[code] if code >= 0 else None for code in values.codes]
    to_json: Callable[[float], Any] = {"number": float, "boolean": bool}.get(
        field.type, lambda seconds: dates.to_text(seconds, field.format)
    )
    return [None if math.isnan(value) else to_json(value) for value in values.tolist()]


def _number(value: Any, field: Field) -> float:
    if isinstance(value, str) and field.format:  # as the data write it: "1.234,50 €", "14:05"
        parsed = parsed_number(value, field.format)
        if parsed is None:
            raise ValueError(
                f"a number is expected, or a text that is written like {field.format}, got {_quote(value)}"
            )
        return parsed
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"a number is expected, got {_quote(value)}")
    # math.isfinite raises for an integer that exceeds every float
    if not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise ValueError("the number is too large")
    return float(value)


def _boolean(value: Any, field: Field) -> float:
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str | int):  # as the data write it: "yes", "0", 1
        text = str(value).strip().lower() if isinstance(value, str) or -1 <= value <= 1 else ""
        if text in field.true:
            return 1.0
        if text in field.false:
            return 0.0
    raise ValueError(f"true or false is expected, got {_quote(value)}")


def _date(value: Any, field: Field) -> float:
    if field.format in dates.DIGITS and isinstance(value, int | float) and not isinstance(value, bool):
        value = repr(value)  # JSON writes 1706709900 and 20240131 as numbers
    if not isinstance(value, str):
        raise ValueError(f"a date as text is expected, got {_quote(value)}")
    try:
        return dates.parse(value.strip(), field.format)
    except ValueError:
        raise ValueError(f"a date like {field.example} is expected, got {_quote(value)}") from None


def _text(value: Any, field: Field) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a text is expected, got {_quote(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("the text has half of a surrogate pair, which is not valid Unicode") from None
    return value.strip()


def _quote(value: Any) -> str:
    """Return a value for a message, cut to MAX_QUOTED_CHARACTERS."""
    text = repr(value)
    return text if len(text) <= MAX_QUOTED_CHARACTERS else f"{text[: MAX_QUOTED_CHARACTERS - 3]}..."


PARSERS: dict[ColumnType, Callable[[Any, Field], float | str]] = {
    "number": _number, "boolean": _boolean, "datetime": _date, "text": _text,
}  # fmt: skip
