"""SQLite: a file that the function can reach."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from modelcycle.faults import BadInput, Transient
from modelcycle.sources.sql.csv_rows import CsvRows
from modelcycle.sources.sql.database import BYTES, SqlColumn
from modelcycle.sources.sql.url import DatabaseUrl
from modelcycle.sql_literal import literal

NOT_UTF8 = re.compile(r"Could not decode to UTF-8 column '(.*?)' with text", re.DOTALL)
STEPS_BETWEEN_CHECKS = 10_000  # of SQLite's virtual machine, between two looks at the clock


class SqliteDatabase:
    """A SQLite file, opened read-only. Types belong to values, so a column's type is found while its rows are read."""

    def __init__(self, url: DatabaseUrl, timeout_seconds: int, where: str) -> None:
        self.where = where
        path = Path(url.database if url.database.startswith("/") else f"/{url.database}")
        if not path.is_file():
            # sqlite:///name is relative to a working directory, which a function does not share with a person
            raise BadInput(
                f"there is no file {path}", where, "give its whole path: sqlite:////folder/file.db (four slashes)"
            )
        with self._faults():
            self.connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
            self.connection.execute("PRAGMA query_only = ON")
            ends = time.monotonic() + timeout_seconds
            self.timeout_seconds = timeout_seconds
            self.connection.set_progress_handler(lambda: int(time.monotonic() > ends), STEPS_BETWEEN_CHECKS)
            self.connection.execute("BEGIN")  # the rows and the counts are of one moment

    def quoted(self, name: str) -> str:
        return '"' + name.replace('"', '""') + '"'

    def columns(self, query: str) -> list[SqlColumn]:
        with self._faults():
            cursor = self.connection.execute(f"SELECT * FROM (\n{query}\n) LIMIT 0")
        return [SqlColumn(name) for name, *_ in cursor.description]

    def bound(self, query: str, column: str, after: str) -> str:
        # SQLite orders numbers before texts: a number has to be compared as one
        with self._faults():
            kind = self.connection.execute(f"SELECT typeof(max({column})) FROM (\n{query}\n)").fetchone()[0]
        return f"{column} > {after if kind in ('integer', 'real') and _is_number(after) else literal(after)}"

    def first(self, query: str, rows: int) -> str:
        return f"SELECT * FROM (\n{query}\n) LIMIT {rows}"

    def count(self, query: str) -> int:
        with self._faults():
            return int(self.connection.execute(query).fetchone()[0])

    def copy(self, query: str, target: CsvRows) -> tuple[list[SqlColumn], int]:
        with self._faults():
            cursor = self.connection.execute(query)
            if cursor.description is None:
                raise BadInput("the query gives no rows", self.where, "write one SELECT")
            names = [name for name, *_ in cursor.description]
            kinds: list[set[type]] = [set() for _ in names]
            while rows := cursor.fetchmany(1000):
                for row in rows:
                    for value, seen in zip(row, kinds, strict=True):
                        seen.add(type(value))
                    target.add([_text(value) for value in row])
        return [SqlColumn(name, _types(seen)) for name, seen in zip(names, kinds, strict=True)], target.rows

    def close(self) -> None:
        self.connection.close()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DatabaseError, sqlite3.Warning, sqlite3.ProgrammingError) as error:
            message = str(error)
            if message == "interrupted":
                raise BadInput(
                    f"the query took more than {self.timeout_seconds} s", self.where,
                    "raise `timeout_seconds`, or select fewer rows",
                ) from None  # fmt: skip
            undecodable = NOT_UTF8.match(message)
            if undecodable:  # the rest of the message is the value
                raise BadInput(
                    f"a text of column {undecodable[1]!r} is not UTF-8", self.where,
                    "correct it in the database, or leave the column out with `query:`",
                ) from None  # fmt: skip
            if "locked" in message or "busy" in message:
                raise Transient("the SQLite file is locked by a writer", self.where, "it is tried again") from None
            if "readonly" in message or "query_only" in message:
                raise BadInput("the query would write", self.where, "write one SELECT: rows are only read") from None
            if "not a database" in message or "malformed" in message:
                raise BadInput("the file is not a SQLite database, or is broken", self.where, "check it") from None
            raise BadInput(f"SQLite refused the query: {message}", self.where, "correct `table:` or `query:`") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip()[-1:].isdigit()


def _text(value: object) -> str | None:
    if value is None or isinstance(value, bytes):
        return None
    return value if isinstance(value, str) else repr(value)


def _types(kinds: set[type]) -> tuple[str, ...]:
    kinds = kinds - {type(None)}
    if kinds == {int}:
        return ("BIGINT",)
    if kinds and kinds <= {int, float}:
        return ("DOUBLE",)
    return (BYTES,) if kinds == {bytes} else ()
