"""The rows of a table or query, as Parquet files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelcycle.engine import SHARD_SIZE, connect, row_group_rows
from modelcycle.faults import BadData, BadInput, BadPipeline
from modelcycle.reading.column_names import list_names, suggest_name
from modelcycle.sources.protocol import Landed, Secrets
from modelcycle.sources.sql.csv_rows import CsvRows
from modelcycle.sources.sql.database import BYTES, Database, SqlColumn
from modelcycle.sources.sql.url import DatabaseUrl, parse_url
from modelcycle.spec import SqlSource
from modelcycle.sql_literal import literal

FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(\w+)", re.DOTALL)  # after comments and brackets
READING_WORDS = {"SELECT", "WITH", "VALUES", "TABLE"}
MAX_VALUE_BYTES = 16 * 2**20  # of one row


class SqlRows:
    """A table or query. With a watermark column, a pull reads the rows above the last one; else all rows.

    The rows of one pull are of one moment: they are read in one transaction, which cannot write.
    """

    def __init__(self, spec: SqlSource, secrets: Secrets, where: str) -> None:
        self.spec = spec
        self.secrets = secrets
        self.where = where
        self.notes: list[str] = []

    @property
    def definition(self) -> str:
        return f"sql {self.spec.secret} {self.spec.table!r} {self.spec.query!r} {self.spec.watermark!r}"

    @property
    def replaces(self) -> bool:
        return self.spec.watermark is None

    def batches(self, folder: Path, after: str | None) -> Iterator[Landed]:
        database = open_database(
            parse_url(self.secrets(self.spec.secret), f"the secret {self.spec.secret}"),
            self.spec.timeout_seconds, self.where,
        )  # fmt: skip
        text = folder / "rows.csv"
        try:
            with CsvRows(text, self.where) as target:
                columns, rows = database.copy(self._statement(database, after), target)
        finally:
            database.close()
        if not rows and not self.replaces:
            return
        with connect(folder, "pull") as engine:
            engine.execute("SET threads = 1")  # equal rows give equal files
            yield from self._parquet(engine, text, columns, rows, folder)

    def _statement(self, database: Database, after: str | None) -> str:
        source = self._source(database)
        watermark = self.spec.watermark
        if watermark is None:
            return source
        columns = [column.name for column in database.columns(source)]
        if watermark not in columns:
            raise BadPipeline(
                f"watermark names {watermark!r}, which is not a column", self.where,
                f"{suggest_name(watermark, columns)}columns: {list_names(columns)} ({len(columns)})",
            )  # fmt: skip
        column = database.quoted(watermark)
        rows = f"SELECT * FROM (\n{source}\n) AS source_rows WHERE {column}"
        without = database.count(f"SELECT count(*) FROM (\n{source}\n) AS source_rows WHERE {column} IS NULL")
        if without:
            self.notes.append(f"{without:,} rows have no {watermark} (the watermark) and are not read")
        condition = database.bound(source, column, after) if after is not None else f"{column} IS NOT NULL"
        return f"{rows.removesuffix(column)}{condition} ORDER BY {column}"

    def _source(self, database: Database) -> str:
        if self.spec.query is not None:
            query = self.spec.query.strip().rstrip(";")
            first = FIRST_WORD.match(query)
            if not first or first[1].upper() not in READING_WORDS:
                raise BadInput("the query is not a SELECT", self.where, "write one SELECT: rows are only read")
            return query
        return table_query(database, str(self.spec.table))

    def _parquet(self, engine: Any, text: Path, columns: list[SqlColumn], rows: int, folder: Path) -> Iterator[Landed]:
        """Write the rows as typed Parquet files; the last one has the watermark."""
        kept = [(number, column) for number, column in enumerate(columns) if BYTES not in column.types]
        left_out = [column.name for column in columns if BYTES in column.types]
        if left_out:
            self.notes.append(f"left out: {list_names(left_out)}: bytes")
        _check_names([column.name for _, column in kept], self.where)
        texts = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(columns)))
        engine.execute(
            f"""CREATE VIEW texts AS SELECT * FROM read_csv({literal(text)}, columns = {{{texts}}}, delim = ',',
                quote = '"', escape = '"', header = false, new_line = '\\n', auto_detect = false, nullstr = '',
                allow_quoted_nulls = false, max_line_size = {MAX_VALUE_BYTES}, buffer_size = {MAX_VALUE_BYTES * 4})"""
        )
        found = engine.execute("SELECT count(*) FROM texts").fetchone()[0] if len(columns) > 1 else rows
        if found != rows:
            raise BadData(
                f"{rows:,} rows were read and {found:,} arrived", self.where, "please report this: rows would be lost"
            )
        types = _types(engine, kept)
        typed = ", ".join(
            f'c{number}::{sql_type} AS "{column.name.replace(chr(34), chr(34) * 2)}"'
            for (number, column), sql_type in zip(kept, types, strict=True)
        )
        # without a watermark, the order of a table means nothing, and may change although its rows do not
        order = "ORDER BY ALL" if self.replaces else ""
        files = folder / "files"
        engine.execute(
            f"""COPY (SELECT {typed} FROM texts {order}) TO {literal(files)} (FORMAT parquet, COMPRESSION zstd,
                ROW_GROUP_SIZE {row_group_rows(len(kept))}, FILE_SIZE_BYTES '{SHARD_SIZE}')"""
        )
        watermark = self._last(engine, columns)
        text.unlink()
        paths = sorted(files.iterdir(), key=lambda path: (len(path.name), path.name))
        for path in paths:
            n_rows = engine.execute(f"SELECT count(*) FROM read_parquet({literal(path)})").fetchone()[0]
            yield Landed(path, ".parquet", n_rows, watermark if path == paths[-1] else None)

    def _last(self, engine: Any, columns: list[SqlColumn]) -> str | None:
        """Return the watermark's value in the last row, by the database's own order."""
        if self.spec.watermark is None:
            return None
        number = [column.name for column in columns].index(self.spec.watermark)
        last: str = engine.execute(
            f"SELECT arg_max(value, row) FROM (SELECT c{number} AS value, row_number() OVER () AS row FROM texts)"
        ).fetchone()[0]
        return last


def open_database(url: DatabaseUrl, timeout_seconds: int, where: str) -> Database:
    """Connect to a database, read-only.

    Raises
    ------
    BadInput : the address, the user or the password is wrong, or there is no driver
    Transient : it does not answer
    """
    if url.kind == "sqlite":
        from modelcycle.sources.sql.sqlite import SqliteDatabase

        return SqliteDatabase(url, timeout_seconds, where)
    if url.kind == "postgresql":
        from modelcycle.sources.sql.postgresql import PostgresDatabase

        return PostgresDatabase(url, timeout_seconds, where)
    if url.kind == "mysql":
        from modelcycle.sources.sql.mysql import MysqlDatabase

        return MysqlDatabase(url, timeout_seconds, where)
    if url.kind == "sql_server":
        from modelcycle.sources.sql.sql_server import SqlServerDatabase

        return SqlServerDatabase(url, timeout_seconds, where)
    from modelcycle.sources.sql.sqlalchemy import SqlAlchemyDatabase

    return SqlAlchemyDatabase(url, timeout_seconds, where)


def table_query(database: Database, table: str) -> str:
    """Return the SELECT of all rows of a table, whose name may have a schema before a dot."""
    return f"SELECT * FROM {'.'.join(database.quoted(part) for part in table.split('.'))}"


def _check_names(names: list[str], where: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise BadInput(
            f"the query gives several columns of one name: {list_names(twice)}", where,
            "give each a name of its own with AS",
        )  # fmt: skip
    if not names:
        raise BadInput("the query gives no column", where, "select columns with values")


def _types(engine: Any, columns: list[tuple[int, SqlColumn]]) -> list[str]:
    """Return the type of each column: the first of its types that reads every value, else text."""
    candidates = [(number, sql_type) for number, column in columns for sql_type in column.types]
    if not candidates:
        return ["VARCHAR"] * len(columns)
    checks = ", ".join(
        f"count(*) FILTER (c{number} IS NOT NULL AND try_cast(c{number} AS {sql_type}) IS NULL)"
        for number, sql_type in candidates
    )
    unread = dict(zip(candidates, engine.execute(f"SELECT {checks} FROM texts").fetchone(), strict=True))
    return [
        next((sql_type for sql_type in column.types if not unread[number, sql_type]), "VARCHAR")
        for number, column in columns
    ]
