"""What the steps that read all rows take: temporary files and time, since DuckDB spills."""

from __future__ import annotations

from modelcycle.messages import Artifact, Collected
from modelcycle.workplace import Need

MAX_SNAPSHOT_BYTES = 2 * 2**30  # of all files: a function has 4 GiB of temporary files
MAX_CELLS = 60_000_000  # rows x columns; a function has 15 minutes
MAX_FETCHED_BYTES = 256 * 2**20  # of an object that is copied to the 512 MB of a function that asks for no more


def files_need(total: int) -> Need:
    """Return what reading files takes.

    Parameters
    ----------
    total : bytes of all files
    """
    exceeds = "files of 2 GiB at most" if total > MAX_SNAPSHOT_BYTES else ""
    return Need(f"files of {total / 2**30:,.1f} GiB", exceeds=exceeds)


def rows_need(collected: Collected) -> Need:
    """Return what reading a snapshot takes."""
    if collected.bytes > MAX_SNAPSHOT_BYTES:
        return files_need(collected.bytes)
    cells = collected.rows * collected.columns
    exceeds = f"the time for at most {MAX_CELLS:,} values" if cells > MAX_CELLS else ""
    return Need(f"{collected.rows:,} rows of {collected.columns:,} columns", exceeds=exceeds)


def table_need(table: Artifact) -> Need:
    """Return what copying a typed table takes."""
    exceeds = "512 MB of temporary files" if table.bytes > MAX_FETCHED_BYTES else ""
    return Need(f"a table of {table.bytes >> 20:,} MiB", exceeds=exceeds)
