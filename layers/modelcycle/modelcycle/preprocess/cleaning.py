"""Cleans the texts of the snapshot, and finds duplicates.

Makes two DuckDB tables. `row_id` numbers all rows in the order of the snapshot.

    clean_rows   row_id, file, row, c0, c1 ...: texts without white space around them, NULL for a missing value;
                 a view of a Parquet file, which is written and read in bounded memory, however many columns there are
    unique_rows  row_id, bucket: the rows that are not a duplicate of an earlier one; see `split` for the bucket
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from modelcycle.engine import literal, row_group_rows
from modelcycle.model.values import stripped_sql
from modelcycle.preprocess.split import BUCKETS


def create_clean_rows(
    engine: Any, shards: list[Path], columns: int, hashed: Sequence[int], missing_values: list[str], folder: Path
) -> int:
    """Create `clean_rows` and `unique_rows`.

    Parameters
    ----------
    shards : Parquet files of the snapshot
    columns : number of columns
    hashed : columns on which a row's bucket depends: all but the target and dropped ones
    missing_values : texts that mean a missing value
    folder : for the Parquet file

    Returns
    -------
    number of rows, with duplicates
    """
    files = ", ".join(literal(shard) for shard in shards)
    texts = ", ".join(f"{stripped_sql(f'c{number}', missing_values)} AS c{number}" for number in range(columns))
    path = folder / "clean.parquet"
    write_parquet(
        engine, path, columns, f"SELECT row_number() OVER () AS row_id, file, row, {texts} FROM read_parquet([{files}])"
    )
    engine.execute(f"CREATE VIEW clean_rows AS SELECT * FROM read_parquet({literal(path)})")
    engine.execute(
        f"""CREATE TABLE unique_rows AS SELECT min(row_id) AS row_id, min(bucket) AS bucket
            FROM (SELECT row_id, md5_number({_joined_sql(range(columns))}) AS digest,
                    (md5_number_lower({_joined_sql(hashed)}) % {BUCKETS})::UTINYINT AS bucket FROM clean_rows)
            GROUP BY digest"""
    )
    rows: int = engine.execute("SELECT count(*) FROM clean_rows").fetchone()[0]
    return rows


def write_parquet(engine: Any, path: Path, columns: int, query: str) -> None:
    """Write the result of a query to a Parquet file, in bounded memory."""
    engine.execute(f"COPY ({query}) TO {literal(path)} (FORMAT parquet, ROW_GROUP_SIZE {row_group_rows(columns)})")


def _joined_sql(columns: Iterable[int]) -> str:
    """Return SQL for one text of several columns, in which a missing value differs from every text."""
    parts = ", ".join(f"coalesce('=' || c{number}, '')" for number in columns)
    return f"concat_ws(chr(31), {parts})" if parts else "''"
