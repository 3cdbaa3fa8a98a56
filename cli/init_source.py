"""`init --source`: writes a pipeline file for a table of a database, and stores the database's URL as a secret."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlsplit

from cli import console
from cli.draft import scalar
from cli.options import Options
from cli.secret import store
from modelcycle.faults import BadInput, NoData
from modelcycle.sources.sql.rows import SqlRows, open_database, table_query
from modelcycle.sources.sql.url import parse_url
from modelcycle.spec import SqlSource

TIMEOUT_SECONDS = 60
MAX_ROWS = 10_000  # of the table, that are looked at
WHERE = "--source"


def full_url(url: str) -> str:
    """Return the URL as a function can use it: with a password, which a terminal is asked for; a file by its path."""
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        path = url.split("://", 1)[-1].removeprefix("/")
        return f"sqlite:///{Path(path).resolve()}"
    if parts.username and parts.password is None and sys.stdin.isatty():
        password = quote(getpass.getpass(f"password of {parts.username}: "), safe="")
        return url.replace(f"://{parts.username}@", f"://{parts.username}:{password}@", 1)
    return url


@contextmanager
def first_rows(url: str, table: str) -> Iterator[Path]:
    """Yield a Parquet file with the first rows of a table.

    Raises
    ------
    BadInput, Transient : the table cannot be read
    NoData : it has no rows
    """
    database = open_database(parse_url(url, WHERE), TIMEOUT_SECONDS, WHERE)
    try:
        query = database.first(table_query(database, table), MAX_ROWS)
    finally:
        database.close()
    spec = SqlSource(type="sql", secret="url", query=query, timeout_seconds=TIMEOUT_SECONDS)  # noqa: S106 (a name)
    with TemporaryDirectory() as folder:
        files = list(SqlRows(spec, lambda name: url, WHERE).batches(Path(folder), None))
        if not files or not files[0].rows:
            raise NoData("the table has no rows", f"{WHERE}, --table {table}", "choose another table")
        yield files[0].path.rename(Path(folder) / f"{table}.parquet")


def source_lines(secret: str, table: str) -> str:
    """Return the section `source:` of a pipeline file."""
    return (
        f"source:\n  type: sql\n  secret: {scalar(secret)}  # the database's URL, in Secrets Manager\n"
        f"  table: {scalar(table)}\n"
        "  # only rows above the last one, by a column that only grows, such as an id or a time:\n"
        "  # watermark: id\n"
        "  # pull by itself:\n"
        "  # every: 1 hour\n\n"
    )


def store_url(options: Options, secret: str, url: str) -> None:
    """Store the URL as a secret of the place, and say so."""
    place = options.open_place(start=True)
    store(place, secret, url)
    console.say(f"stored the URL as the secret {secret} in Secrets Manager ({place.title})")


def check_options(data: Path | None, source: str | None, table: str | None) -> None:
    """Raise BadInput unless there is one of a file and a table."""
    if (data is None) == (source is None):
        raise BadInput("give either a file or a database", "the command line", "--data FILE, or --source URL --table T")
    if source is not None and not table:
        raise BadInput("--source needs a table", "the command line", "add --table NAME")
