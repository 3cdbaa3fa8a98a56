"""From texts in DuckDB to typed columns in numpy: how `preprocess` reads the rows of a model, and how a later run reads
other rows as that model does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from modelcycle.engine import batches, literal
from modelcycle.model import dates
from modelcycle.model.columns import Column, ColumnType, Texts, Values
from modelcycle.model.fields import Field
from modelcycle.model.values import boolean_sql, number_sql

MAX_BATCH_CELLS = 2_000_000
CASTS: dict[ColumnType, str] = {"number": "::FLOAT", "boolean": "::FLOAT", "datetime": "::DOUBLE", "text": ""}


def parsed_sql(column: Column | Field, expression: str) -> str:
    """Return SQL for a column's typed value, NULL where its text does not parse.

    Parameters
    ----------
    column : its type, its format, and the words that mean true and false
    expression : SQL of its text, without white space around it

    Returns
    -------
    SQL of a text, or of a DOUBLE: number, 0 or 1, or seconds since 1970 UTC

    Examples
    --------
    >>> parsed_sql(Field(name="left", type="boolean", true=["ja"], false=["nein"]), "c3")
    "CASE WHEN lower(c3) IN ('ja') THEN 1.0 WHEN lower(c3) IN ('nein') THEN 0.0 END"
    """
    if column.type == "number":
        return number_sql(expression)
    if column.type == "boolean":
        if not column.true or not column.false:
            return boolean_sql(expression)
        true, false = (", ".join(literal(word) for word in words) for words in (column.true, column.false))
        return f"CASE WHEN lower({expression}) IN ({true}) THEN 1.0 WHEN lower({expression}) IN ({false}) THEN 0.0 END"
    return dates.sql(expression, column.format) if column.type == "datetime" else expression


def fetch_values(engine: Any, typed: Mapping[str, tuple[str, ColumnType]], source: str, rows: int) -> dict[str, Values]:
    """Return typed columns, by name; a batch of them is in memory twice.

    Parameters
    ----------
    typed : SQL of the typed value, as of `parsed_sql`, and its type, by name
    source : what follows FROM; it gives the rows in the same order each time
    rows : how many it gives
    """
    values: dict[str, Values] = {}
    for batch in batches(list(typed), rows, MAX_BATCH_CELLS):
        selected = ", ".join(
            f"({typed[name][0]}){CASTS[typed[name][1]]} AS v{number}" for number, name in enumerate(batch)
        )
        arrays = engine.execute(f"SELECT {selected} FROM {source}").fetchnumpy()
        for number, name in enumerate(batch):
            array = arrays.pop(f"v{number}")
            values[name] = Texts.of(array.tolist()) if typed[name][1] == "text" else np.ma.filled(array, np.nan)
    return values
