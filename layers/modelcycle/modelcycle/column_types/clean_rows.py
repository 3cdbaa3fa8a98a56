"""Cleans the texts of the snapshot.

Makes a DuckDB view. `row_id` numbers all rows in the order of the snapshot.

    clean_rows   row_id, file, row, c0, c1 ...: texts without white space around them, NULL for a missing value;
                 a view of a Parquet file, which is written and read in bounded memory, however many columns there are
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcycle.cells.missing import stripped_sql
from modelcycle.engine import row_group_rows
from modelcycle.sql_literal import literal


def create_clean_rows(engine: Any, shards: list[Path], columns: int, missing_values: list[str], folder: Path) -> int:
    """Create `clean_rows`, and return the number of rows.

    Parameters
    ----------
    shards : Parquet files of the snapshot
    columns : number of columns
    missing_values : texts that mean a missing value
    folder : for the Parquet file
    """
    files = ", ".join(literal(shard) for shard in shards)
    texts = ", ".join(f"{stripped_sql(f'c{number}', missing_values)} AS c{number}" for number in range(columns))
    path = folder / "clean.parquet"
    write_parquet(
        engine, path, columns, f"SELECT row_number() OVER () AS row_id, file, row, {texts} FROM read_parquet([{files}])"
    )
    engine.execute(f"CREATE VIEW clean_rows AS SELECT * FROM read_parquet({literal(path)})")
    rows: int = engine.execute("SELECT count(*) FROM clean_rows").fetchone()[0]
    return rows


def write_parquet(engine: Any, path: Path, columns: int, query: str) -> None:
    """Write the result of a query to a Parquet file, in bounded memory."""
    engine.execute(f"COPY ({query}) TO {literal(path)} (FORMAT parquet, ROW_GROUP_SIZE {row_group_rows(columns)})")
