"""Sources for tests: databases with given rows, and a workspace that pulls and collects them."""

from __future__ import annotations

import csv
import gzip
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelcycle.collect import collect, pull
from modelcycle.faults import Unknown
from modelcycle.messages import Collected, CollectRequest, Pulled
from modelcycle.sources.sql.url import parse_url
from modelcycle.spec import Pipeline
from tests.fakes import MemoryStore
from tests.unit.data_steps import Workspace

BIKESHARE = Path(__file__).parents[2] / "examples" / "data" / "bikeshare.csv.gz"
BIKE_COLUMNS = (
    "season int, mnth varchar(9), day int, hr varchar(9), holiday int, weekday int, workingday int,"
    " weathersit varchar(20), temp double precision, atemp decimal(9,4), hum double precision, windspeed decimal(12,6),"
    " casual int, registered int, bikers int"
)


def bike_rows() -> list[list[str]]:
    """The rows of the example data, without the header."""
    with gzip.open(BIKESHARE, "rt", newline="") as file:
        return list(csv.reader(file))[1:]


@dataclass
class PullWorkspace(Workspace):
    """A workspace with secrets and other buckets."""

    secrets: dict[str, str] = field(default_factory=dict)
    buckets: dict[str, MemoryStore] = field(default_factory=dict)

    def secret(self, name: str) -> str:
        if name not in self.secrets:
            raise Unknown(f"there is no secret {name}", f"secret {name}", "store it")
        return self.secrets[name]

    def pull(self, **pipeline: Any) -> Pulled:
        return pull(
            Pipeline(name="m", **pipeline), data=self.data, landings=self.registry.landings, secrets=self.secret,
            buckets=lambda name: self.buckets[name] if name else self.data,
        )  # fmt: skip

    def snapshot(self, run_id: str = "r1", **pipeline: Any) -> Collected:
        """What `collect` makes of what has landed."""
        registry = self.registry
        return collect(
            CollectRequest(run=self.run(run_id, **pipeline)), data=self.data, artifacts=self.artifacts,
            leases=registry.leases, results=registry.results, code="1", registry=registry,
        )  # fmt: skip

    def table(self, collected: Collected) -> list[dict[str, str | None]]:
        """The rows of a snapshot, by column name."""
        import json

        names = json.loads(self.artifacts.read(collected.manifest))["columns"]
        return [dict(zip(names, row, strict=True)) for row in self.rows(collected)]


@dataclass
class Database:
    """A database that a test can write to; `execute` takes %s for values."""

    url: str
    execute: Callable[..., None]

    def create(self, table: str, columns: str, rows: Sequence[Sequence[Any]] = ()) -> None:
        self.execute(f"DROP TABLE IF EXISTS {table}")
        self.execute(f"CREATE TABLE {table} ({columns})")
        self.insert(table, rows)

    def insert(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, many in a statement."""
        for start in range(0, len(rows), 200):
            batch = rows[start : start + 200]
            marks = ", ".join("(" + ", ".join(["%s"] * len(row)) + ")" for row in batch)
            self.execute(f"INSERT INTO {table} VALUES {marks}", [value for row in batch for value in row])


def sqlite_database(path: Path) -> Database:
    def execute(statement: str, values: Sequence[Any] = ()) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute(statement.replace("%s", "?"), values)
        connection.close()

    return Database(f"sqlite:///{path}", execute)


def postgresql_database(url: str) -> Database:
    import pg8000.dbapi

    parts = parse_url(url, "")
    connection = pg8000.dbapi.connect(
        user=parts.user, host=parts.host, port=parts.port, database=parts.database, password=parts.password
    )
    connection.autocommit = True

    def execute(statement: str, values: Sequence[Any] = ()) -> None:
        cursor = connection.cursor()
        cursor.execute(statement, [str(value) if value is not None else None for value in values])

    return Database(url, execute)


def mysql_database(url: str) -> Database:
    import pymysql

    parts = parse_url(url, "")
    connection = pymysql.connect(
        host=parts.host, port=parts.port or 3306, user=parts.user, password=parts.password.encode(),
        database=parts.database, autocommit=True, charset="utf8mb4",
    )  # fmt: skip

    def execute(statement: str, values: Sequence[Any] = ()) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, values or None)

    return Database(url, execute)
