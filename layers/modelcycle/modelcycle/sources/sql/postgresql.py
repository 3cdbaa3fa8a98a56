"""PostgreSQL by pg8000: its own COPY writes the rows, so that no value passes through Python."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modelcycle.faults import BadInput, Transient
from modelcycle.outages import RETRIED
from modelcycle.sources.sql.connection_faults import refused, unreachable
from modelcycle.sources.sql.csv_rows import CsvRows
from modelcycle.sources.sql.database import BYTES, SqlColumn
from modelcycle.sources.sql.url import DatabaseUrl
from modelcycle.sql_literal import literal

CONNECT_SECONDS = 10
TYPES = {
    16: ("BOOLEAN",), 17: (BYTES,), 20: ("BIGINT",), 21: ("BIGINT",), 23: ("BIGINT",), 26: ("BIGINT",),
    700: ("DOUBLE",), 701: ("DOUBLE",), 1082: ("DATE",), 1083: ("TIME",), 1114: ("TIMESTAMP",),
    1184: ("TIMESTAMPTZ",),
}  # fmt: skip
"""DuckDB's types by PostgreSQL's object ids (catalogue pg_type); all other types, numeric too, are their exact text."""

# PostgreSQL's documentation, appendix A: error codes
REASONS = {
    "28P01": ("the database refuses the user or the password", "correct the URL in the secret"),
    "28000": ("the database refuses the user", "correct the URL in the secret, or pg_hba.conf"),
    "3D000": ("there is no such database", "correct the URL in the secret"),
    "57014": ("the query took more than the time limit", "raise `timeout_seconds`, or select fewer rows"),
    "25006": ("the query would write", "write one SELECT: rows are only read"),
    "42501": ("the user may not read that", "grant SELECT to the user of the secret"),
    "53300": ("the database has no free connection", "raise max_connections, or pull at another time"),
}
LOST = ("57P01", "57P02", "57P03", "08")


class PostgresDatabase:
    """One read-only transaction of a PostgreSQL database, in which all queries see the same rows."""

    def __init__(self, url: DatabaseUrl, timeout_seconds: int, where: str) -> None:
        self.where = where
        self.name = url.name
        with self._faults():
            # the server ends a query by itself; a connection that has gone silent ends here
            self.connection = _connect(url, timeout_seconds + CONNECT_SECONDS)
            for setting in (
                f"SET statement_timeout = {timeout_seconds * 1000}", "SET TimeZone = 'UTC'", "SET DateStyle = 'ISO'",
                "SET extra_float_digits = 1", "SET IntervalStyle = 'postgres'", "SET bytea_output = 'hex'",
                "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
            ):  # fmt: skip
                self.connection.run(setting)

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def columns(self, query: str) -> list[SqlColumn]:
        with self._faults():
            # prepared: the server refuses a text of several statements
            statement = self.connection.prepare(f"SELECT * FROM (\n{query}\n) AS rows LIMIT 0")
            statement.run()
            described = statement.columns
            statement.close()
        return [SqlColumn(column["name"], TYPES.get(column["type_oid"], ())) for column in described]

    def bound(self, query: str, column: str, after: str) -> str:
        return f"{column} > {literal(after)}"  # the literal takes the column's type

    def first(self, query: str, rows: int) -> str:
        return f"SELECT * FROM (\n{query}\n) AS source_rows LIMIT {rows}"

    def count(self, query: str) -> int:
        with self._faults():
            return int(self.connection.run(query)[0][0])

    def copy(self, query: str, target: CsvRows) -> tuple[list[SqlColumn], int]:
        columns = self.columns(query)
        with self._faults():
            self.connection.run(f"COPY (\n{query}\n) TO STDOUT (FORMAT csv, FORCE_QUOTE *)", stream=target)
            rows = int(self.connection.row_count)
        return columns, rows

    def close(self) -> None:
        with contextlib.suppress(Exception):  # a connection that is lost cannot be closed
            self.connection.close()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        import pg8000.exceptions as errors

        try:
            yield
        except errors.DatabaseError as error:
            details = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
            code = details.get("C", "")
            if code in REASONS:
                what, remedy = REASONS[code]
                raise BadInput(what, f"{self.where}, {self.name}", remedy) from None
            if code.startswith(LOST):
                raise Transient("the database closed the connection", self.name, RETRIED) from None
            raise refused("PostgreSQL", code, details.get("M", ""), code.startswith("42"), self.where) from None
        except (errors.InterfaceError, OSError) as error:
            raise unreachable(error, self.name, self.where) from None


def _connect(url: DatabaseUrl, read_seconds: int) -> Any:
    from pg8000.exceptions import InterfaceError
    from pg8000.native import Connection

    mode = url.options.get("sslmode", "prefer")
    settings: dict[str, Any] = {
        "user": url.user, "password": url.password, "host": url.host, "port": url.port or 5432,
        "database": url.database, "timeout": CONNECT_SECONDS, "application_name": "modelcycle",
    }  # fmt: skip
    if mode == "prefer":
        try:
            return _patient(Connection(ssl_context=_unverified(), **settings), read_seconds)
        except InterfaceError as error:
            if "SSL" not in str(error):
                raise
            return _patient(Connection(ssl_context=False, **settings), read_seconds)
    contexts = {"disable": lambda: False, "require": _unverified, "verify-full": ssl.create_default_context}
    if mode not in contexts:
        raise BadInput(
            f"sslmode={mode} is unknown", f"the secret of {url.name}", "use disable, prefer, require or verify-full"
        )
    return _patient(Connection(ssl_context=contexts[mode](), **settings), read_seconds)


def _patient(connection: Any, seconds: int) -> Any:
    """Return a connection that waits longer for its answers than for itself; pg8000 has one time-out for both."""
    connection._usock.settimeout(seconds)
    return connection


def _unverified() -> ssl.SSLContext:
    """Return TLS as libpq's `require` has it: encrypted, without a check of the certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
