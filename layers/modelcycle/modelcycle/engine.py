"""DuckDB for the data steps: within a function's memory, spilling into one temporary folder, without network access."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from modelcycle.faults import BadData

# With several, the order of rows is chance: equal inputs gave other bytes and other test rows, and a version could not
# be made again by a function with other memory.
THREADS = 1
DUCKDB_MEMORY_SHARE = 0.6  # of a function's memory; Python and the fetched results need the rest
WORKING_MEGABYTES = 80  # beyond which DuckDB spills: its memory does not grow with the rows
FLUSHED_SIZE = "16MB"  # freed memory beyond it goes back to the system, instead of waiting to be used again
NARROW_MEGABYTES = 40  # beside columns that Python holds
RELEASED_MEGABYTES = 16  # what is kept in memory beside columns that Python holds
MAX_WIDENED = 2  # queries that did not fit; then all get the function's share: a wide table would try each twice
MAX_ROW_GROUP_CELLS = 4_000_000  # of a Parquet file; the writer keeps a row group in memory
SHARD_SIZE = "64MB"  # DuckDB starts a new file when one has reached this size
MAX_QUERY_COLUMNS = 64  # planning a query over a wide table takes as long as reading the table

Item = TypeVar("Item")


class Engine:
    """A DuckDB connection that works in little memory; a query that cannot spill gets the function's share.

    Parameters
    ----------
    connection : of DuckDB
    megabytes : the share
    """

    def __init__(self, connection: Any, megabytes: int) -> None:
        self.connection, self.megabytes = connection, megabytes
        self.working = min(WORKING_MEGABYTES, megabytes)
        self.is_widened, self.widened = False, 0
        self._limit(self.working)

    def execute(self, query: str, parameters: Any = None) -> Any:
        """Run a query, as a connection does; a statement that fails has changed nothing, so it can run again."""
        import duckdb

        if self.is_widened and self.widened < MAX_WIDENED:  # not before: its rows had to be fetched
            self._limit(self.working)
            self.is_widened = False
        try:
            return self.connection.execute(query, parameters)
        except duckdb.OutOfMemoryException:
            if self.is_widened or self.working == self.megabytes:
                raise
        self._limit(self.megabytes)
        self.is_widened = True
        self.widened += 1
        return self.connection.execute(query, parameters)

    def narrow(self) -> None:
        """Work in less memory from now on: Python holds columns beside it. Queries that need more still get it."""
        self.working = min(NARROW_MEGABYTES, self.working)
        if not self.is_widened:  # otherwise the next query sets it
            self._limit(self.working)

    def release(self) -> None:
        """Give back the memory of pages that are kept for later queries, before Python holds columns."""
        if not self.is_widened:
            self._limit(min(RELEASED_MEGABYTES, self.working))
            self._limit(self.working)

    def _limit(self, megabytes: int) -> None:
        self.connection.execute(f"SET memory_limit = '{megabytes}MiB'")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


@contextmanager
def connect(folder: Path, where: str, megabytes: int | None = None) -> Iterator[Engine]:
    """Open a DuckDB connection for the duration of a `with` block.

    Parameters
    ----------
    folder : for the database and spilled data; the caller removes it
    where : the step or file that a fault names
    megabytes : memory to work in; by default that of the function

    Raises
    ------
    BadData : the work does not fit into the memory
    """
    import duckdb

    megabytes = megabytes or int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024"))
    spill_folder = folder / "spill"
    spill_folder.mkdir(exist_ok=True)
    connection = duckdb.connect(
        str(folder / "tables.duckdb"),  # tables in a file are compressed and may exceed the memory
        config={
            "threads": THREADS,
            "temp_directory": str(spill_folder),
            "home_directory": str(folder),
            "extension_directory": str(folder),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "enable_external_file_cache": False,  # the files are local: the system caches them already
            "allocator_flush_threshold": FLUSHED_SIZE,
            "allocator_bulk_deallocation_flush_threshold": FLUSHED_SIZE,
        },
    )
    try:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        yield Engine(connection, int(megabytes * DUCKDB_MEMORY_SHARE))
    except duckdb.OutOfMemoryException:
        raise BadData(
            f"the data do not fit into {megabytes} MB of memory", where,
            "give the step more memory (DataMemory, in a container ContainerMemory or ContainerInstance: parameters of"
            " the stack), or keep fewer rows or columns", outgrows=True,
        ) from None  # fmt: skip
    finally:
        connection.close()


def create_ordered(engine: Any, table: str, query: str) -> None:
    """Create or replace a table of the rows of a query, in order of `row_id`.

    First the rows, then their order: a join and a sort in one statement need the memory of both.
    """
    engine.execute(f"CREATE OR REPLACE TABLE unordered AS {query}")
    engine.execute(f"CREATE OR REPLACE TABLE {table} AS FROM unordered ORDER BY row_id")
    engine.execute("DROP TABLE unordered")


def batches(columns: Sequence[Item], rows: int = 0, cells: int = 1) -> Iterator[Sequence[Item]]:
    """Yield batches of at most MAX_QUERY_COLUMNS columns, fewer if a batch of `rows` rows would exceed `cells` values.

    >>> [len(batch) for batch in batches(range(100))]
    [64, 36]
    >>> list(batches("abc", rows=1000, cells=2000))
    ['ab', 'c']
    """
    size = min(MAX_QUERY_COLUMNS, max(1, cells // rows)) if rows else MAX_QUERY_COLUMNS
    for start in range(0, len(columns), size):
        yield columns[start : start + size]


def row_group_rows(columns: int) -> int:
    """Return how many rows a Parquet row group has, so that writing a wide table takes no more memory.

    >>> row_group_rows(10), row_group_rows(1000)
    (122880, 2048)
    """
    return max(2048, min(122_880, MAX_ROW_GROUP_CELLS // max(columns, 1) // 2048 * 2048))
