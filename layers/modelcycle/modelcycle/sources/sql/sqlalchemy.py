"""Every other database, by SQLAlchemy and its dialect: both in a layer of your own (docs/sources.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from modelcycle.faults import BadInput
from modelcycle.sources.sql.connection_faults import refused, unreachable
from modelcycle.sources.sql.csv_rows import CsvRows
from modelcycle.sources.sql.database import SqlColumn
from modelcycle.sources.sql.python_cursor import copy_rows, names_of
from modelcycle.sources.sql.url import KINDS, DatabaseUrl

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


class SqlAlchemyDatabase:
    """One transaction of a database that SQLAlchemy knows; it is rolled back. The function's time limit ends it."""

    def __init__(self, url: DatabaseUrl, timeout_seconds: int, where: str) -> None:
        self.where = where
        self.name = url.name
        try:
            import sqlalchemy

            self.sqlalchemy: Any = sqlalchemy
            engine = sqlalchemy.create_engine(url.text, poolclass=sqlalchemy.pool.NullPool)
        except ImportError:
            raise _no_driver(url, where) from None
        except Exception as error:
            if type(error).__name__ == "NoSuchModuleError":
                raise _no_driver(url, where) from None
            raise BadInput(
                "SQLAlchemy cannot read the URL in the secret", where, "write it as the dialect's own page says"
            ) from None
        with self._faults():
            self.dialect = engine.dialect
            self.quote = engine.dialect.identifier_preparer.quote_identifier
            self.connection: Any = engine.connect().execution_options(stream_results=True, max_row_buffer=1000)

    def quoted(self, name: str) -> str:
        return self._plain(str(self.quote(name)))

    def columns(self, query: str) -> list[SqlColumn]:
        with self._faults():
            cursor = self._cursor(f"SELECT * FROM (\n{query}\n) source_rows WHERE 1 = 0")
            return [SqlColumn(name) for name in names_of(cursor, self.where)]

    def bound(self, query: str, column: str, after: str) -> str:
        if NUMBER.fullmatch(after):
            return f"{column} > {after}"
        return f"{column} > {self._literal(after)}"

    def first(self, query: str, rows: int) -> str:
        return query  # no standard way to ask for the first rows works everywhere

    def count(self, query: str) -> int:
        with self._faults():
            return int(self._cursor(query).fetchone()[0])

    def copy(self, query: str, target: CsvRows) -> tuple[list[SqlColumn], int]:
        with self._faults():
            return copy_rows(self._cursor(query), target, self.where)

    def close(self) -> None:
        with suppress(Exception):
            self.connection.rollback()
        with suppress(Exception):
            self.connection.close()

    def _literal(self, text: str) -> str:
        """Return a text as a literal of this dialect: some read a backslash as the beginning of an escape."""
        value = self.sqlalchemy.literal(text)
        return self._plain(str(value.compile(dialect=self.dialect, compile_kwargs={"literal_binds": True})))

    def _plain(self, sql: str) -> str:
        """Return SQL without the doubled % that SQLAlchemy writes for drivers that replace parameters by %s."""
        return sql.replace("%%", "%") if self.dialect.paramstyle in ("format", "pyformat") else sql

    def _cursor(self, query: str) -> Any:
        # `exec_driver_sql` takes : and % as they are
        return self.connection.exec_driver_sql(query).cursor

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except self.sqlalchemy.exc.DBAPIError as error:
            if error.connection_invalidated:
                raise unreachable(error, self.name, self.where) from None
            # a driver that we do not know may quote values of rows: its message is kept back
            raise refused("the database", type(error.orig).__name__, "", False, self.where) from None
        except OSError as error:
            raise unreachable(error, self.name, self.where) from None


def _no_driver(url: DatabaseUrl, where: str) -> BadInput:
    return BadInput(
        f"there is no driver for {url.kind}://", where,
        f"use one of {', '.join(KINDS)}, or add SQLAlchemy and its dialect to layers/sources/requirements.in",
    )  # fmt: skip
