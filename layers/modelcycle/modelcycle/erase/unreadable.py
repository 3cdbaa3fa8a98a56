"""Objects that DuckDB cannot read: one broken upload must not end the erasure of everything else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from modelcycle.faults import UnreadableFile

REMEDY = "look whether the person is in it, and delete it"


@contextmanager
def told_as_unreadable(key: str) -> Iterator[None]:
    """Say in a sentence of our own that an object cannot be read: a message of DuckDB may quote cells of it.

    Raises
    ------
    UnreadableFile : DuckDB cannot read it, or not in the memory that there is
    """
    import duckdb

    try:
        yield
    except (duckdb.FatalException, duckdb.InternalException):  # the connection is gone with it: a retry has another one
        raise
    except duckdb.OutOfMemoryException:
        raise UnreadableFile("it does not fit into the memory of this step", key, REMEDY) from None
    except duckdb.Error:
        raise UnreadableFile("it is broken or cut short, or has a type that cannot be read", key, REMEDY) from None
