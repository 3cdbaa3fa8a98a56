"""MySQL and MariaDB by PyMySQL, whose unbuffered cursor reads a row at a time."""

from __future__ import annotations

import re
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

CONNECT_SECONDS = 10
BIT = 16
WHOLE = ("BIGINT", "UBIGINT")
TYPES = {
    1: WHOLE, 2: WHOLE, 3: WHOLE, 8: WHOLE, 9: WHOLE, 13: WHOLE, BIT: WHOLE, 4: ("DOUBLE",), 5: ("DOUBLE",),
    7: ("TIMESTAMP",), 10: ("DATE",), 12: ("TIMESTAMP",),
}  # fmt: skip
"""DuckDB's types by MySQL's (protocol's field types); all other types, decimals too, are their exact text."""

# MySQL's reference manual, "Server Error Message Reference"; MariaDB's has the same numbers and 1969
REASONS = {
    1045: ("the database refuses the user or the password", "correct the URL in the secret"),
    1044: ("the user may not use that database", "grant SELECT to the user of the secret"),
    1049: ("there is no such database", "correct the URL in the secret"),
    1142: ("the user may not read that", "grant SELECT to the user of the secret"),
    1143: ("the user may not read that", "grant SELECT to the user of the secret"),
    1792: ("the query would write", "write one SELECT: rows are only read"),
    1969: ("the query took more than the time limit", "raise `timeout_seconds`, or select fewer rows"),
    3024: ("the query took more than the time limit", "raise `timeout_seconds`, or select fewer rows"),
}
# errors in the statement itself: syntax, unknown tables, columns, functions
ABOUT_THE_QUERY = {1051, 1052, 1054, 1060, 1064, 1103, 1146, 1149, 1305, 1370, 1582, 1630}
LOST = {1040, 1053, 1077, 1080, 1152, 1158, 1159, 1160, 1161, 1205, 1213, 1927, 2006, 2013, 2014, 2055}


class MysqlDatabase:
    """One read-only transaction of a MySQL or MariaDB database, in which all queries see the same rows."""

    def __init__(self, url: DatabaseUrl, timeout_seconds: int, where: str) -> None:
        import pymysql
        from pymysql.cursors import SSCursor

        self.where = where
        self.name = url.name
        with self._faults():
            # without converters, every value arrives as the text that the server prints
            self.connection: Any = pymysql.connect(
                host=url.host, port=url.port or 3306, user=url.user, database=url.database,
                password=url.password.encode(),  # a text would be sent as Latin-1
                charset="utf8mb4", cursorclass=SSCursor, conv={0: str}, connect_timeout=CONNECT_SECONDS,
                read_timeout=timeout_seconds + CONNECT_SECONDS, autocommit=True, ssl=_tls(url), local_infile=False,
            )  # fmt: skip
            maria = "mariadb" in self.connection.get_server_info().lower()
            limit = f"max_statement_time = {timeout_seconds}" if maria else f"max_execution_time = {timeout_seconds}000"
            for setting in (
                f"SET SESSION {limit}", "SET SESSION time_zone = '+00:00'",
                "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            ):  # fmt: skip
                self._run(setting)

    def quoted(self, name: str) -> str:
        return "`" + name.replace("`", "``") + "`"

    def columns(self, query: str) -> list[SqlColumn]:
        with self._faults(), self._cursor() as cursor:
            cursor.execute(f"SELECT * FROM (\n{query}\n) AS source_rows LIMIT 0")
            return _columns(cursor)

    def bound(self, query: str, column: str, after: str) -> str:
        # a number in quotes would be compared as a double, which merges large whole numbers
        if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", after):
            return f"{column} > {after}"
        return f"{column} > {self.connection.literal(after)}"

    def first(self, query: str, rows: int) -> str:
        return f"SELECT * FROM (\n{query}\n) AS source_rows LIMIT {rows}"

    def count(self, query: str) -> int:
        return int(self._run(query)[0][0])

    def copy(self, query: str, target: CsvRows) -> tuple[list[SqlColumn], int]:
        self.columns(query)  # a query that can stand in brackets cannot write a file (INTO OUTFILE)
        with self._faults(), self._cursor() as cursor:
            cursor.execute(query)
            columns = _columns(cursor)
            bits = [number for number, field in enumerate(cursor.description) if field[1] == BIT]
            while rows := cursor.fetchmany(1000):
                for row in rows:
                    target.add(_texts(row, bits))
        return columns, target.rows

    def close(self) -> None:
        # not `close`: an unbuffered cursor that was left half-way would first read all its rows
        self.connection._force_close()

    def _run(self, statement: str) -> Any:
        with self._faults(), self._cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    @contextmanager
    def _cursor(self) -> Iterator[Any]:
        """Open a cursor; after an error, it does not read the rest of its rows, as PyMySQL's own closing would."""
        cursor = self.connection.cursor()
        try:
            yield cursor
        except BaseException:
            result, cursor.connection = cursor._result, None
            if result is not None:
                result.unbuffered_active = False
                result.connection = None
            raise
        cursor.close()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        import pymysql

        try:
            yield
        except pymysql.MySQLError as error:
            code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            message = str(error.args[1]) if len(error.args) > 1 else ""
            if code == 2003:
                cause = getattr(error, "original_exception", None) or error
                raise unreachable(cause, self.name, self.where) from None
            if code in LOST:
                raise Transient("the database closed the connection", self.name, RETRIED) from None
            if code in REASONS:
                what, remedy = REASONS[code]
                raise BadInput(what, f"{self.where}, {self.name}", remedy) from None
            raise refused("MySQL", code, message, code in ABOUT_THE_QUERY, self.where) from None
        except OSError as error:
            raise unreachable(error, self.name, self.where) from None


def _columns(cursor: Any) -> list[SqlColumn]:
    # a text type without characters (charset 63) holds bytes
    fields = cursor._result.fields
    return [SqlColumn(field.name, _types(field)) for field in fields]


def _types(field: Any) -> tuple[str, ...]:
    if field.type_code in (249, 250, 251, 252, 253, 254) and field.charsetnr == 63:
        return (BYTES,)
    return TYPES.get(field.type_code, ())


def _texts(row: Any, bits: list[int]) -> list[str | None]:
    texts = [None if isinstance(value, bytes) else value for value in row]
    for number in bits:
        value = row[number]
        texts[number] = None if value is None else str(int.from_bytes(value, "big"))
    return texts


def _tls(url: DatabaseUrl) -> Any:
    """Return the TLS settings: `ssl=true` encrypts, `ssl=verify` also checks the certificate; default: none."""
    mode = url.options.get("ssl", url.options.get("ssl-mode", "")).lower()
    if mode in ("", "false", "disabled"):
        return None
    context = ssl.create_default_context()
    if mode not in ("verify", "verify_identity"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
