"""DuckDB as the data steps use it: inside the memory of a function, inside one temporary directory, off the net."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from modelcycle.faults import BadData

MB_PER_CPU = 1769  # of a function's memory, AWS page "Configure Lambda function memory"
SHARE = 0.6  # of a function's memory that DuckDB may take; Python and what it fetches need the rest
CELLS_PER_GROUP = 4_000_000  # of a Parquet row group, which its writer holds in memory
SHARD = "64MB"
COLUMNS_AT_ONCE = 64  # of one query: planning one over a wide table costs as much as reading it


@contextmanager
def connect(folder: Path, place: str, megabytes: int | None = None) -> Iterator[Any]:
    """A DuckDB connection that spills into `folder`, for the length of a `with`.

    Parameters
    ----------
    folder : of this call alone; whoever made it removes it
    place : the step or file, named when memory runs out
    megabytes : memory to work in; else that of the function

    Raises
    ------
    BadData : the work does not fit into the function's memory
    """
    import duckdb

    megabytes = megabytes or int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"))
    spill = folder / "spill"
    spill.mkdir(exist_ok=True)
    connection = duckdb.connect(
        str(folder / "tables.duckdb"),  # a file, so that tables are compressed and need not fit into memory
        config={
            "threads": max(1, megabytes // MB_PER_CPU),
            "memory_limit": f"{int(megabytes * SHARE)}MiB",
            "temp_directory": str(spill),
            "home_directory": str(folder),
            "extension_directory": str(folder),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    try:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        yield connection
    except duckdb.OutOfMemoryException:
        raise BadData(
            f"the data do not fit into {megabytes} MB of memory",
            place,
            "give the step's function more memory, or cut the file",
        ) from None
    finally:
        connection.close()


def literal(text: str | Path) -> str:
    """A text as a SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


Item = TypeVar("Item")


def batches(columns: Sequence[Item], rows: int = 0, cells: int = 1) -> Iterator[Sequence[Item]]:
    """Columns by the handful: COLUMNS_AT_ONCE, or fewer where their `rows` would be more than `cells` together."""
    size = min(COLUMNS_AT_ONCE, max(1, cells // rows)) if rows else COLUMNS_AT_ONCE
    for start in range(0, len(columns), size):
        yield columns[start : start + size]


def row_group(columns: int) -> int:
    """Rows of a Parquet row group, so that its writer's memory does not grow with the width of a table."""
    return max(2048, min(122_880, CELLS_PER_GROUP // max(columns, 1) // 2048 * 2048))
