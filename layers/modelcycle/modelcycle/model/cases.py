"""The case of a row: a 64-bit hash that says which rows are the same, or belong to the same customer.

Rows of one case are never in two parts of a split, and a version keeps the cases that it has learned from. The hash is
of canonical values, by column name: neither the order of columns nor the spelling of a number changes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelcycle.cells.missing import stripped_sql
from modelcycle.cells.numbers import number_sql
from modelcycle.cells.reading import parsed_sql
from modelcycle.engine import batches
from modelcycle.messages import CaseColumn, CaseRecipe
from modelcycle.sql_literal import literal

MAX_EXACT_DIGITS = 15  # every whole number of so many digits has a double of its own


def create_cases(
    engine: Any, recipe: CaseRecipe, numbers: Mapping[str, int], source: str, *, stripped: bool = False
) -> None:
    """Create the table `cases` (row_id, hash UBIGINT), one row for each row of `source`, in the order of row_id.

    Parameters
    ----------
    numbers : of the recipe's columns in `source`, by name
    source : a table or view with row_id and the raw texts c0, c1 ...
    stripped : the texts have no white space around them, and are NULL where they are missing, as the recipe reads them
    """
    missing = None if stripped else recipe.missing_values
    columns = [(column, numbers[column.name]) for column in recipe.columns]
    if recipe.kind == "group":
        present = present_sql(columns, missing)
        _create_hashes(engine, "group_hashes", columns, missing, f"(SELECT * FROM {source} WHERE {present})")
        ungrouped = f"(SELECT * FROM {source} WHERE NOT ({present}))"
        _create_hashes(
            engine, "rest_hashes", [(column, numbers[column.name]) for column in recipe.rest], missing, ungrouped
        )
        engine.execute(
            "CREATE OR REPLACE TABLE cases AS (FROM group_hashes UNION ALL FROM rest_hashes) ORDER BY row_id"
        )
        engine.execute("DROP TABLE group_hashes; DROP TABLE rest_hashes")
        return
    _create_hashes(engine, "row_hashes", columns, missing, source)
    # equal rows are interchangeable: the n-th of them is the same case in every snapshot that has n of them
    hashed = (
        "md5_number_lower(hash || '#' || row_number() OVER (PARTITION BY hash ORDER BY row_id))"
        if recipe.kind == "row"
        else "hash"
    )
    engine.execute(f"CREATE OR REPLACE TABLE cases AS SELECT row_id, {hashed} AS hash FROM row_hashes ORDER BY row_id")
    engine.execute("DROP TABLE row_hashes")


def _create_hashes(
    engine: Any, table: str, columns: Sequence[tuple[CaseColumn, int]], missing: Sequence[str] | None, source: str
) -> None:
    """Create a table: row_id, hash UBIGINT of the columns.

    Parameters
    ----------
    columns : with their numbers in `source`
    missing : texts that mean a missing value; None if the texts are stripped
    """
    by_name = sorted(columns, key=lambda column: column[0].name)
    several = list(batches(by_name))
    if len(several) <= 1:
        engine.execute(
            f"""CREATE OR REPLACE TABLE {table} AS
                SELECT row_id, md5_number_lower({_joined_sql(by_name, missing)}) AS hash FROM {source}"""
        )
        return
    engine.execute("CREATE OR REPLACE TABLE digests (row_id BIGINT, batch INTEGER, digest UHUGEINT)")
    for number, batch in enumerate(several):
        engine.execute(
            f"INSERT INTO digests SELECT row_id, {number}, md5_number({_joined_sql(batch, missing)}) FROM {source}"
        )
    # an ordered string_agg takes three times as long
    digests = ", ".join(f"max(digest) FILTER (batch = {number})" for number in range(len(several)))
    engine.execute(
        f"""CREATE OR REPLACE TABLE {table} AS
            SELECT row_id, md5_number_lower(concat_ws(chr(31), {digests})) AS hash FROM digests GROUP BY row_id"""
    )
    engine.execute("DROP TABLE digests")


def _joined_sql(columns: Sequence[tuple[CaseColumn, int]], missing: Sequence[str] | None) -> str:
    """Return SQL for one text of several columns; a missing value differs from every text."""
    parts = ", ".join(
        f"coalesce({literal(column.name + '=')} || {_canonical_sql(column, number, missing)}, '')"
        for column, number in columns
    )
    return f"concat_ws(chr(31), {parts})" if parts else "''"


def present_sql(columns: Sequence[tuple[CaseColumn, int]], missing: Sequence[str] | None) -> str:
    """Return SQL for whether a row has a value in one of the columns."""
    return " OR ".join(f"{_canonical_sql(*column, missing)} IS NOT NULL" for column in columns) or "false"


def _canonical_sql(column: CaseColumn, number: int, missing: Sequence[str] | None) -> str:
    """Return SQL for a column's canonical text: 5, 5.0 and " 5 " are the same; NULL for a missing value."""
    text = f"c{number}" if missing is None else stripped_sql(f"c{number}", missing)
    if column.type in ("datetime", "boolean"):
        return f"({parsed_sql(column, text)})::VARCHAR"
    if column.type == "number":  # + 0.0: minus zero is zero
        return f"({parsed_sql(column, text)} + 0.0)::VARCHAR"
    text = parsed_sql(column, text)
    value = f"({number_sql(text)} + 0.0)::VARCHAR"
    # a longer text may be an identifier, and a double would make one of several that differ in their last digits
    return f"CASE WHEN strlen({text}) <= {MAX_EXACT_DIGITS} THEN coalesce({value}, {text}) ELSE {text} END"
