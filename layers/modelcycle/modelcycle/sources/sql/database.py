"""What every database promises."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from modelcycle.sources.sql.csv_rows import CsvRows

BYTES = "BLOB"
"""The type of columns that hold bytes, which are left out."""


class SqlColumn(NamedTuple):
    """A column of a result.

    Parameters
    ----------
    types : DuckDB's types that it may have, the best first. The first that reads every value is taken; else it is text
    """

    name: str
    types: tuple[str, ...] = ()


class Database(Protocol):
    """An open connection that cannot write. Every method raises BadInput, BadData or Transient."""

    def quoted(self, name: str) -> str:
        """Return a name as an identifier of SQL."""

    def columns(self, query: str) -> list[SqlColumn]:
        """Return the columns of a query, without its rows."""

    def bound(self, query: str, column: str, after: str) -> str:
        """Return the SQL condition that a column of a query lies above a value, given as text.

        Parameters
        ----------
        column : as an identifier of SQL
        """

    def first(self, query: str, rows: int) -> str:
        """Return a query with the first rows of a query."""

    def count(self, query: str) -> int:
        """Return the one number of a query."""

    def copy(self, query: str, target: CsvRows) -> tuple[list[SqlColumn], int]:
        """Write the rows of a query in their order, a batch at a time; return its columns, and how many rows."""

    def close(self) -> None:
        """Undo what may have been written, and close the connection."""
