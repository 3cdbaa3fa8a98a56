"""The case of a row: a 64-bit hash that says which rows are the same, or belong to the same customer.

Rows of one case are never in two parts of a split, and a version keeps the cases that it has learned from. The hash is
of canonical values, by column name: neither the order of columns nor the spelling of a number changes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelcycle.engine import literal
from modelcycle.messages import CaseColumn, CaseRecipe
from modelcycle.model import dates
from modelcycle.model.values import boolean_sql, number_sql, stripped_sql


def create_cases(engine: Any, recipe: CaseRecipe, numbers: Mapping[str, int], source: str) -> None:
    """Create the table `cases` (row_id, hash UBIGINT), one row for each row of `source`, in the order of row_id.

    Parameters
    ----------
    numbers : of the recipe's columns in `source`, by name
    source : a table or view with row_id and the raw texts c0, c1 ...
    """
    hashed = f"md5_number_lower({_joined_sql(recipe.columns, numbers, recipe.missing_values)})"
    if recipe.kind == "group":
        present = " OR ".join(
            f"{_canonical_sql(column, numbers, recipe.missing_values)} IS NOT NULL" for column in recipe.columns
        )
        rest = f"md5_number_lower({_joined_sql(recipe.rest, numbers, recipe.missing_values)})"
        hashed = f"CASE WHEN {present} THEN {hashed} ELSE {rest} END"
    engine.execute(f"CREATE OR REPLACE TABLE cases AS SELECT row_id, {hashed} AS hash FROM {source} ORDER BY row_id")
    if recipe.kind == "row":
        # equal rows are interchangeable: the n-th of them is the same case in every snapshot that has n of them
        engine.execute(
            """CREATE OR REPLACE TABLE cases AS
               SELECT row_id, md5_number_lower(hash || '#' || row_number() OVER same) AS hash FROM cases
               WINDOW same AS (PARTITION BY hash ORDER BY row_id) ORDER BY row_id"""
        )


def _joined_sql(columns: Sequence[CaseColumn], numbers: Mapping[str, int], missing: list[str]) -> str:
    """Return SQL for one text of several columns, sorted by name; a missing value differs from every text."""
    parts = ", ".join(
        f"coalesce({literal(column.name + '=')} || {_canonical_sql(column, numbers, missing)}, '')"
        for column in sorted(columns, key=lambda column: column.name)
    )
    return f"concat_ws(chr(31), {parts})" if parts else "''"


def _canonical_sql(column: CaseColumn, numbers: Mapping[str, int], missing: list[str]) -> str:
    """Return SQL for a column's canonical text: 5, 5.0 and " 5 " are the same; NULL for a missing value."""
    text = stripped_sql(f"c{numbers[column.name]}", missing)
    if column.type == "datetime":
        return f"({dates.sql(text, column.format)})::VARCHAR"
    if column.type == "boolean":
        return f"({boolean_sql(text)})::VARCHAR"
    # + 0.0: minus zero is zero
    number = f"({number_sql(text)} + 0.0)::VARCHAR"
    return number if column.type == "number" else f"coalesce({number}, {text})"
