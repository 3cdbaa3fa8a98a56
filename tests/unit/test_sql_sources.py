"""Tables and queries: equal rows from every database, exact values, and one sentence for each thing that goes wrong."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from modelcycle.faults import BadInput, BadPipeline, Fault, Transient, Unknown
from modelcycle.sources.sql.sqlalchemy import SqlAlchemyDatabase
from modelcycle.sources.sql.url import parse_url
from tests import database_servers
from tests.unit.pulled_rows import (
    BIKE_COLUMNS,
    BIKESHARE,
    Database,
    PullWorkspace,
    bike_rows,
    mysql_database,
    postgresql_database,
    sqlite_database,
)

KINDS = ["sqlite", "postgresql", "mysql"]


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Database]]:
    """The databases that this machine can run; servers are started once."""
    found = {"sqlite": sqlite_database(tmp_path_factory.mktemp("sqlite") / "shop.db")}
    with ExitStack() as stack:
        if not database_servers.missing_server("postgresql"):
            found["postgresql"] = postgresql_database(stack.enter_context(database_servers.postgresql()).url)
        if not database_servers.missing_server("mysql"):
            found["mysql"] = mysql_database(stack.enter_context(database_servers.mysql()).url)
        yield found


@pytest.fixture(params=KINDS)
def database(request: pytest.FixtureRequest, databases: dict[str, Database]) -> Database:
    if request.param not in databases:
        pytest.skip(database_servers.missing_server(request.param))
    return databases[request.param]


def workspace(url: str) -> PullWorkspace:
    return PullWorkspace(secrets={"shop": url})


def source(**more: Any) -> dict[str, Any]:
    return {"target": "y", "source": {"type": "sql", "secret": "shop", **more}}


def uploaded_bikes() -> str:
    uploads = PullWorkspace()
    uploads.data.upload("raw/m/bikes.csv.gz", BIKESHARE)
    return uploads.snapshot(target="bikers").content


def test_the_same_rows_come_from_a_file_and_from_every_database(database: Database) -> None:
    database.create("bikes", BIKE_COLUMNS, bike_rows())
    space, pipeline = workspace(database.url), source(table="bikes") | {"target": "bikers"}
    assert space.pull(**pipeline).rows == 8645
    collected = space.snapshot(**pipeline)
    assert collected.rows == 8645
    assert collected.content == uploaded_bikes()


def test_values_arrive_as_they_are(database: Database) -> None:
    database.create(
        "exact", "id bigint, price decimal(30,10), note varchar(99), day date, y int",
        [
            (2**60 + 1, "12345678901234567890.0123456789", 'a "b", c\nd', "2024-01-31", 1),
            (2, None, "", None, 2), (3, "0.1000000000", "007", "2024-02-29", 3), (4, "0", None, "1999-12-31", 4),
        ],
    )  # fmt: skip
    space = workspace(database.url)
    space.pull(**source(table="exact"))
    rows = {row["y"]: row for row in space.table(space.snapshot(**source(table="exact")))}
    assert rows["1"]["id"] == "1152921504606846977"
    assert rows["1"]["note"] == 'a "b", c\nd'
    assert rows["1"]["day"] == "2024-01-31"
    assert (rows["2"]["price"], rows["2"]["day"], rows["4"]["note"]) == (None, None, None)
    assert (rows["2"]["note"], rows["3"]["note"]) == ("", "007")
    if not database.url.startswith("sqlite"):  # SQLite has no decimals: it rounds them itself
        assert rows["1"]["price"] == "12345678901234567890.0123456789"


def test_a_pull_with_a_watermark_reads_only_what_is_new(database: Database) -> None:
    database.create("sales", "id bigint, x int, y int", [(number, number % 7, number % 5) for number in range(500)])
    space, pipeline = workspace(database.url), source(table="sales", watermark="id")
    first = space.pull(**pipeline)
    assert (first.rows, first.files[-1].watermark) == (500, "499")
    assert space.pull(**pipeline).files == []
    database.insert("sales", [(number, 0, 0) for number in range(500, 530)])
    database.insert("sales", [(None, 0, 0)])
    later = space.pull(**pipeline)
    assert (later.rows, later.files[-1].watermark) == (30, "529")
    assert "1 rows have no id" in later.detail
    assert [row["id"] for row in space.table(space.snapshot(**pipeline))] == [str(number) for number in range(530)]


def test_a_watermark_keeps_its_precision(database: Database) -> None:
    large = 2**53
    database.create("large", "id bigint, x int, y int", [(large, 1, 1)])
    space, pipeline = workspace(database.url), source(table="large", watermark="id")
    space.pull(**pipeline)
    database.insert("large", [(large + 1, 2, 2)])  # the same number in double precision
    assert space.pull(**pipeline).rows == 1


def test_a_table_without_a_watermark_is_read_anew_and_replaces_the_former_rows(database: Database) -> None:
    database.create("prices", "id int, x int, y int", [(1, 1, 1), (2, 2, 2)])
    space, pipeline = workspace(database.url), source(query="SELECT * FROM prices ORDER BY id;")
    space.pull(**pipeline)
    first = space.snapshot(**pipeline)
    assert space.pull(**pipeline).files == []
    assert space.snapshot("r2", **pipeline).cached
    database.execute("DELETE FROM prices WHERE id = 1")
    database.insert("prices", [(3, 3, 3)])
    space.pull(**pipeline)
    rows = space.table(space.snapshot("r3", **pipeline))
    assert [row["id"] for row in rows] == ["2", "3"]
    assert len(space.table(first)) == 2


def test_another_query_is_read_from_its_beginning(database: Database) -> None:
    database.create("orders", "id int, x int, y int", [(number, number, 1) for number in range(10)])
    space = workspace(database.url)
    space.pull(**source(table="orders", watermark="id"))
    other = source(query="SELECT id, y FROM orders WHERE id > 3", watermark="id")
    assert space.pull(**other).rows == 6
    assert space.snapshot(**other).columns == 2


def test_a_query_with_comments_brackets_and_with_is_a_query(database: Database) -> None:
    database.create("orders", "id int, x int, y int", [(number, number, 1) for number in range(10)])
    for query in (
        "-- new\n/* all */ WITH few AS (SELECT * FROM orders WHERE id < 4) SELECT * FROM few",
        "SELECT id, y FROM orders WHERE id < 4 -- the first",
    ):
        assert workspace(database.url).pull(**source(query=query)).rows == 4
        assert workspace(database.url).pull(**source(query=query, watermark="id")).rows == 4


@pytest.mark.parametrize(
    ("section", "part"),
    [
        ({"table": "nope"}, "nope"),
        ({"query": "SELEC 1"}, "not a SELECT"),
        ({"query": "SELECT nope, y FROM kept"}, "nope"),
        ({"query": "DELETE FROM kept"}, "not a SELECT"),
        ({"query": "SELECT 1 AS a, 2 AS y; DELETE FROM kept"}, "refused the query"),
        ({"query": "WITH x AS (SELECT 1) DELETE FROM kept"}, ""),
        ({"table": "kept", "watermark": "idd"}, "idd"),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "a"),
    ],
)
def test_a_wrong_query_is_one_sentence_and_writes_nothing(
    database: Database, section: dict[str, Any], part: str
) -> None:
    database.create("kept", "id int, y int", [(1, 1), (2, 2)])
    space = workspace(database.url)
    with pytest.raises((BadInput, BadPipeline)) as caught:
        space.pull(**source(**section))
    assert part in caught.value.what
    assert caught.value.where.startswith("pipelines/m.yaml: source")
    assert caught.value.remedy
    assert not space.data.objects
    assert workspace(database.url).pull(**source(table="kept")).rows == 2


def test_a_query_that_takes_too_long_is_stopped(database: Database) -> None:
    slow = {
        "sqlite": "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r) SELECT max(i) AS x, 2 AS y FROM r",
        "postgresql": "SELECT pg_sleep(20) AS x, 2 AS y",
        "mysql": "SELECT sleep(20) AS x, 2 AS y FROM (SELECT 1 AS one) AS t",
    }
    query = slow[database.url.split(":")[0]]
    with pytest.raises(BadInput, match="took more than"):
        workspace(database.url).pull(**source(query=query, timeout_seconds=1))


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_server_that_cannot_be_used_is_one_sentence_without_the_password(
    kind: str, databases: dict[str, Database]
) -> None:
    if kind not in databases:
        pytest.skip(database_servers.missing_server(kind))
    url = databases[kind].url
    port = str(parse_url(url, "").port)
    secret = "s%40cret%2Fp%C3%A4ssword"
    for wrong, fault, part in [
        (url.replace(secret, "guess"), BadInput, "refuses the user or the password"),
        (url.replace("ann:", "bob:"), BadInput, "refuses the user"),
        (url.rpartition("/")[0] + "/nodb", BadInput, "no such database"),
        (url.replace("127.0.0.1", "nohost.invalid"), BadInput, "host of the database is unknown"),
        (url.replace(port, str(_closed_port())), Transient, "refuses connections"),
    ]:
        with pytest.raises(fault) as caught:
            workspace(wrong).pull(**source(table="t"))
        assert part in caught.value.what
        for word in ("s@cret", "guess", secret):
            assert word not in str(caught.value)


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
def test_a_connection_that_is_lost_half_way_lands_nothing_and_can_be_repeated(
    kind: str, databases: dict[str, Database]
) -> None:
    if kind not in databases:
        pytest.skip(database_servers.missing_server(kind))
    database = databases[kind]
    database.create("wide", "id int, note varchar(900), y int", [(number, "x" * 800, 1) for number in range(2000)])
    port = parse_url(database.url, "").port or 0
    with _cutting_proxy(port, after_bytes=600_000) as proxy:
        space = workspace(database.url.replace(f":{port}/", f":{proxy}/"))
        with pytest.raises(Transient):
            space.pull(**source(table="wide", watermark="id"))
    assert space.registry.landings.get("m", "main").landing is None
    space.secrets["shop"] = database.url
    assert space.pull(**source(table="wide", watermark="id")).rows == 2000


def test_a_secret_that_is_missing_or_no_url_is_one_sentence() -> None:
    with pytest.raises(Unknown, match="there is no secret shop"):
        PullWorkspace().pull(**source(table="t"))
    for text in (
        "hello",
        "postgresql://ann:pw1@/shop",
        "postgresql://ann:pw1@host:x/shop",
        "sqlite://",
        "oracle://h/d",
    ):
        with pytest.raises(Fault) as caught:
            workspace(text).pull(**source(table="t"))
        assert caught.value.remedy
        assert "pw1" not in str(caught.value)


def test_a_file_that_is_no_database_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("id,y\n1,2\n" * 99)
    for path, part in ((tmp_path / "text.db", "not a SQLite database"), (tmp_path / "gone.db", "there is no file")):
        with pytest.raises(BadInput, match=part):
            workspace(f"sqlite:///{path}").pull(**source(table="t"))


def test_a_text_that_is_not_utf_8_is_named_without_its_value(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path / "shop.db")
    database.create("t", "name text, y int", [("ok", 1)])
    database.execute("INSERT INTO t VALUES (CAST(X'5365637265FC74' AS TEXT), 2)")
    with pytest.raises(BadInput, match="a text of column 'name' is not UTF-8") as caught:
        workspace(database.url).pull(**source(table="t"))
    assert "Secre" not in str(caught.value)


def test_any_database_of_sqlalchemy_can_be_read(tmp_path: Path) -> None:
    import sqlalchemy.dialects

    sqlalchemy.dialects.registry.register("plums", "sqlalchemy.dialects.sqlite.pysqlite", "SQLiteDialect_pysqlite")
    database = sqlite_database(tmp_path / "shop.db")
    database.create("bikes", BIKE_COLUMNS, bike_rows())
    space = workspace(f"plums:///{tmp_path}/shop.db")
    pipeline = source(table="bikes") | {"target": "bikers"}
    assert space.pull(**pipeline).rows == 8645
    assert space.snapshot(**pipeline).content == uploaded_bikes()
    later = source(query="SELECT *, rowid AS number FROM bikes", watermark="number") | {"target": "bikers"}
    space.pull(**later)
    database.insert("bikes", bike_rows()[:5])
    assert space.pull(**later).rows == 5
    with pytest.raises(BadInput, match="the database refused the query"):
        space.pull(**source(query="SELECT nope, y FROM bikes"))


def test_a_watermark_stays_a_text_in_a_dialect_with_escapes(tmp_path: Path) -> None:
    from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql

    sqlite_database(tmp_path / "shop.db").create("t", "y int")
    database = SqlAlchemyDatabase(parse_url(f"sqlite:////{tmp_path}/shop.db", ""), 10, "source")
    database.dialect = MySQLDialect_pymysql()  # as those of BigQuery or ClickHouse, it reads \\' as a quote
    assert database.bound("", "x", "a\\' OR 1=1 -- 5%") == "x > 'a\\\\'' OR 1=1 -- 5%'"
    assert database.bound("", "x", "12.50") == "x > 12.50"
    for text in ("nan", "1_000", "Infinity"):
        assert database.bound("", "x", text) == f"x > '{text}'"
    database.close()


def test_a_sql_server_that_does_not_answer_is_one_sentence() -> None:
    for url, fault, part in [
        (f"mssql://ann:pw1@127.0.0.1:{_closed_port()}/shop", Transient, "refuses connections"),
        ("sqlserver://ann:pw1@nohost.invalid/shop", BadInput, "host of the database is unknown"),
    ]:
        with pytest.raises(fault, match=part) as caught:
            workspace(url).pull(**source(table="t"))
        assert "pw1" not in str(caught.value)


def test_bytes_are_left_out_and_told(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path / "photos.db")
    database.create("photos", "id int, photo blob, y int", [(1, b"\x00\xff", 1), (2, None, 2)])
    space = workspace(database.url)
    assert "left out: photo: bytes" in space.pull(**source(table="photos")).detail
    assert space.snapshot(**source(table="photos")).columns == 2


def test_an_emptied_table_is_no_data(database: Database) -> None:
    database.create("brief", "id int, y int", [(1, 1)])
    space = workspace(database.url)
    space.pull(**source(table="brief"))
    database.execute("DELETE FROM brief")
    space.pull(**source(table="brief"))
    with pytest.raises(Fault, match="no row"):
        space.snapshot(**source(table="brief"))


def _closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


class _cutting_proxy:  # noqa: N801 (used as a function)
    """A port that forwards to a server, and cuts the connection after so many bytes of its answers."""

    def __init__(self, port: int, after_bytes: int) -> None:
        self.port, self.after_bytes = port, after_bytes
        self.listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        port: int = self.listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self._copy, args=(client, server, 10**12), daemon=True).start()
            threading.Thread(target=self._copy, args=(server, client, self.after_bytes), daemon=True).start()

    def _copy(self, origin: socket.socket, target: socket.socket, limit: int) -> None:
        copied = 0
        try:
            while copied < limit and (data := origin.recv(65536)):
                target.sendall(data)
                copied += len(data)
        except OSError:
            pass
        for end in (origin, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)  # `close` alone waits for the other thread
            end.close()
