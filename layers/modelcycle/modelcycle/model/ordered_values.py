"""The values of a column in their order, in a table of DuckDB: for quantiles of more values than should be in memory.

Unlike `quantile_disc` and `count(DISTINCT)`, a sort spills.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

SORT_MEGABYTES = 16  # beyond which a sort spills; where it may fill the memory, writing its table sometimes fails


class OrderedValues:
    """The table `ordered_values` (v), as long as `ordered_values` keeps it.

    Parameters
    ----------
    count : of the values
    """

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.count: int = engine.execute("SELECT count(*) FROM ordered_values").fetchone()[0]

    def at(self, positions: Iterable[int]) -> list[Any]:
        """Return the values at some positions, each from 0 to count - 1."""
        wanted = [int(position) for position in positions]
        listed = ", ".join(map(str, sorted(set(wanted))))
        query = f"SELECT rowid, v FROM ordered_values WHERE rowid IN ({listed})"
        found = dict(self.engine.execute(query).fetchall())
        return [found[position] for position in wanted]

    def distinct(self) -> int:
        """Return the number of different values."""
        found: int = self.engine.execute(
            """SELECT count(*) FROM (SELECT v, lag(v) OVER () AS before FROM ordered_values)
               WHERE v IS DISTINCT FROM before"""
        ).fetchone()[0]
        return found


@contextmanager
def ordered_values(engine: Any, value: str, source: str) -> Iterator[OrderedValues]:
    """Sort the values of a column for the duration of a `with` block; missing ones are left out.

    Parameters
    ----------
    value : SQL of a number
    source : what follows FROM
    """
    engine.execute(f"SET operator_memory_limit = '{SORT_MEGABYTES}MiB'")
    try:
        engine.execute(
            f"""CREATE OR REPLACE TABLE ordered_values AS
                FROM (SELECT {value} AS v FROM {source}) WHERE v IS NOT NULL ORDER BY v"""
        )
    finally:
        engine.execute("RESET operator_memory_limit")
    try:
        yield OrderedValues(engine)
    finally:
        engine.execute("DROP TABLE ordered_values")
