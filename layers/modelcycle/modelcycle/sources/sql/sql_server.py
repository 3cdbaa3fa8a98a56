"""SQL Server by python-tds.

It has no read-only transactions: the pull's transaction is rolled back, so that nothing of it stays. Give the secret a
user who may only SELECT.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from modelcycle.faults import BadInput, Fault, Transient
from modelcycle.outages import RETRIED
from modelcycle.sources.sql.connection_faults import refused, unreachable
from modelcycle.sources.sql.csv_rows import CsvRows
from modelcycle.sources.sql.database import SqlColumn
from modelcycle.sources.sql.python_cursor import copy_rows, names_of
from modelcycle.sources.sql.url import DatabaseUrl
from modelcycle.sql_literal import literal

CONNECT_SECONDS = 10

# Microsoft's page "Database Engine events and errors"
REASONS = {
    18456: ("the database refuses the user or the password", "correct the URL in the secret"),
    4060: ("there is no such database, or the user may not use it", "correct the URL in the secret"),
    229: ("the user may not read that", "grant SELECT to the user of the secret"),
    230: ("the user may not read that", "grant SELECT to the user of the secret"),
}
ABOUT_THE_QUERY = {102, 105, 137, 156, 170, 195, 207, 208, 209, 1033, 4104, 8156, 8120}
BUSY = {1205, 1222}


class SqlServerDatabase:
    """One transaction of a SQL Server database, which is rolled back."""

    def __init__(self, url: DatabaseUrl, timeout_seconds: int, where: str) -> None:
        import pytds

        self.where = where
        self.name = url.name
        self.timeout_seconds = timeout_seconds
        with self._faults(connecting=True):
            self.connection: Any = pytds.connect(
                dsn=url.host, port=url.port or 1433, database=url.database, user=url.user, password=url.password,
                timeout=timeout_seconds, login_timeout=CONNECT_SECONDS, appname="modelcycle", autocommit=False,
                readonly=True, cafile=url.options.get("cafile"), disable_connect_retry=True,
            )  # fmt: skip

    def quoted(self, name: str) -> str:
        return "[" + name.replace("]", "]]") + "]"

    def columns(self, query: str) -> list[SqlColumn]:
        with self._faults(), self.connection.cursor() as cursor:
            cursor.execute(f"SELECT TOP 0 * FROM (\n{query}\n) AS source_rows")
            return [SqlColumn(name) for name in names_of(cursor, self.where)]

    def bound(self, query: str, column: str, after: str) -> str:
        return f"{column} > N{literal(after)}"  # the literal takes the column's type, which ranks above text

    def first(self, query: str, rows: int) -> str:
        return f"SELECT TOP {rows} * FROM (\n{query}\n) AS source_rows"

    def count(self, query: str) -> int:
        with self._faults(), self.connection.cursor() as cursor:
            cursor.execute(query)
            return int(cursor.fetchone()[0])

    def copy(self, query: str, target: CsvRows) -> tuple[list[SqlColumn], int]:
        with self._faults(), self.connection.cursor() as cursor:
            cursor.execute(query)
            return copy_rows(cursor, target, self.where)

    def close(self) -> None:
        with suppress(Exception):  # a connection that is lost has been rolled back by the server
            self.connection.rollback()
        with suppress(Exception):
            self.connection.close()

    @contextmanager
    def _faults(self, connecting: bool = False) -> Iterator[None]:
        import pytds

        try:
            yield
        except pytds.TimeoutError as error:
            if connecting:
                raise unreachable(error, self.name, self.where) from None
            raise BadInput(
                f"the query took more than {self.timeout_seconds} s", f"{self.where}, {self.name}",
                "raise `timeout_seconds`, or select fewer rows",
            ) from None  # fmt: skip
        except pytds.Error as error:
            raise self._fault(error) from None
        except OSError as error:
            raise unreachable(error, self.name, self.where) from None

    def _fault(self, error: Any) -> Fault:
        import pytds

        number = int(getattr(error, "msg_no", 0) or 0)
        if number in REASONS or isinstance(error, pytds.LoginError):
            what, remedy = REASONS.get(number, REASONS[18456])
            return BadInput(what, f"{self.where}, {self.name}", remedy)
        if number in BUSY or isinstance(error, pytds.ClosedConnectionError):
            return Transient("the database closed the connection", self.name, RETRIED)
        if not number:
            return unreachable(error, self.name, self.where)
        return refused("SQL Server", number, str(error), number in ABOUT_THE_QUERY, self.where)
