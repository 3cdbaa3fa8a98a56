"""What the steps that read all rows take: temporary files and time, since DuckDB spills."""

from __future__ import annotations

from modelcycle.faults import BadData
from modelcycle.messages import Artifact, Collected
from modelcycle.workplace import CONTAINER_SCALE, Need, Workplace

MAX_SNAPSHOT_BYTES = 2 * 2**30  # of all files: a function has 4 GiB of temporary files
MAX_CELLS = 60_000_000  # rows x columns; a function has 15 minutes
MAX_FETCHED_BYTES = 256 * 2**20  # of an object that is copied to the 512 MB of a function that asks for no more


def check_files(total: int, prefix: str, has_containers: bool) -> None:
    """Check that files of this size can be read.

    Parameters
    ----------
    total : bytes of all files of a source
    prefix : where they are
    has_containers : whether the stack has any

    Raises
    ------
    BadData : names the limit
    """
    limit = MAX_SNAPSHOT_BYTES * (CONTAINER_SCALE if has_containers else 1)
    if total > limit:
        larger = "" if has_containers else ", or deploy the stack with LargeTraining (docs/large-data.md)"
        raise BadData(
            f"the files have {total / 2**30:.1f} GiB; the limit is {limit >> 30} GiB", prefix,
            f"keep fewer files there, or only newer ones{larger}",
        )  # fmt: skip


def files_need(total: int) -> Need:
    """Return what reading files takes.

    Parameters
    ----------
    total : bytes of all files
    """
    exceeds = "at most 2 GiB" if total > MAX_SNAPSHOT_BYTES else ""
    return Need(f"files of {total / 2**30:,.1f} GiB", exceeds=exceeds)


def rows_need(collected: Collected, workplace: Workplace | None) -> Need | None:
    """Return what reading a snapshot takes; None where nothing takes work over: there it is tried."""
    if workplace is None or not workplace.hands_over:
        return None
    if collected.bytes > MAX_SNAPSHOT_BYTES:
        return files_need(collected.bytes)
    cells = collected.rows * collected.columns
    exceeds = f"at most {MAX_CELLS:,} values" if cells > MAX_CELLS else ""
    return Need(f"{collected.rows:,} rows of {collected.columns:,} columns", exceeds=exceeds)


def table_need(table: Artifact) -> Need:
    """Return what copying a typed table takes."""
    exceeds = f"at most {MAX_FETCHED_BYTES >> 20} MiB" if table.bytes > MAX_FETCHED_BYTES else ""
    return Need(f"a table of {table.bytes >> 20:,} MiB", exceeds=exceeds)
