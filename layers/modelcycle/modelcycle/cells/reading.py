"""How the text of a column is read: the one description that training, serving and the monitor share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from modelcycle.cells import dates
from modelcycle.cells.booleans import boolean_sql
from modelcycle.cells.missing import USUAL, missing_texts
from modelcycle.cells.numbers import MAX_NUMBER, number, number_sql
from modelcycle.cells.times import TIME_FORMATS, seconds, time_sql
from modelcycle.sql_literal import literal

MAX_LISTED_TEXTS = 5  # DuckDB makes a join of a longer list, which takes much longer to plan than a regular expression
ColumnType = Literal["number", "boolean", "datetime", "text"]


class Reading(BaseModel):
    """How the text of a column is read.

    Parameters
    ----------
    type : see `model.columns`
    format : of dates, one of `dates.FORMATS` or `dates.DIGITS`; of numbers, "" for digits with a point, a
        `numbers.NumberFormat`, or clock or duration for the seconds of a time, see `cells.times`
    true, false : of booleans: the texts that mean true and false, in lower case
    missing_values : texts that mean a missing value in this column, besides those of the whole table
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    type: ColumnType
    format: str = ""
    true: list[str] = []
    false: list[str] = []
    missing_values: list[str] = []

    def reading(self) -> dict[str, Any]:
        """Return these fields by name, for another object that reads the same texts."""
        return {name: getattr(self, name) for name in Reading.model_fields}


def parsed_sql(reading: Reading, expression: str) -> str:
    """Return SQL for a typed value, NULL where the text is missing or does not parse.

    Parameters
    ----------
    expression : SQL of the text, without white space around it

    Returns
    -------
    SQL of a text, or of a DOUBLE: number, 0 or 1, or seconds since 1970 UTC

    Examples
    --------
    >>> parsed_sql(Reading(type="boolean", true=["ja"], false=["nein"]), "c3")
    "CASE WHEN lower(c3) IN ('ja') THEN 1.0 WHEN lower(c3) IN ('nein') THEN 0.0 END"
    """
    # texts such as 9999-12-31 may be missing although they parse
    expression = present_text_sql(reading.missing_values, expression)
    if reading.type == "number":
        in_time = reading.format in TIME_FORMATS
        return time_sql(expression, reading.format) if in_time else number_sql(expression, reading.format)
    if reading.type == "boolean":
        if not reading.true or not reading.false:
            return boolean_sql(expression)
        return (
            f"CASE WHEN lower({expression}) IN ({_list(reading.true)}) THEN 1.0"
            f" WHEN lower({expression}) IN ({_list(reading.false)}) THEN 0.0 END"
        )
    if reading.type == "datetime":
        return dates.sql(expression, reading.format)
    return expression


def parsed_number(text: str, format: str) -> float | None:  # noqa: A002
    """Return the number of a text as `parsed_sql` reads it, None if it is none or exceeds MAX_NUMBER.

    Parameters
    ----------
    format : of a `Reading` whose type is number

    Examples
    --------
    >>> parsed_number("1.234,5", "1.234,56"), parsed_number("14:05", "clock"), parsed_number("many", "")
    (1234.5, 50700.0, None)
    """
    value = seconds(text, format) if format in TIME_FORMATS else number(text, format)
    return value if value is not None and abs(value) <= MAX_NUMBER else None


def present_text_sql(missing_values: Iterable[str], expression: str) -> str:
    """Return SQL for a text, NULL where it is one of the texts that mean a missing value.

    >>> present_text_sql(["n/a"], "c3"), present_text_sql([], "c3")
    ("CASE WHEN c3 NOT IN ('n/a') THEN c3 END", 'c3')
    """
    texts = sorted(missing_values)
    if len(texts) > MAX_LISTED_TEXTS:
        pattern = literal("|".join(re.escape(text) for text in texts))
        return f"CASE WHEN NOT regexp_full_match({expression}, {pattern}) THEN {expression} END"
    return f"CASE WHEN {expression} NOT IN ({_list(texts)}) THEN {expression} END" if texts else expression


def missing_texts_of(reading: Reading, table: Iterable[str] = ()) -> frozenset[str]:
    """Return the texts that mean a missing value in a column.

    Parameters
    ----------
    table : texts that mean it in every column of the table

    Examples
    --------
    >>> sorted(missing_texts_of(Reading(type="text", missing_values=["-"]), ["?"]))
    ['', '-', '?']
    >>> "n/a" in missing_texts_of(Reading(type="number"))
    True
    """
    return missing_texts([*table, *reading.missing_values, *(USUAL if reading.type != "text" else ())])


def _list(texts: Iterable[str]) -> str:
    return ", ".join(literal(text) for text in texts)
