"""The address of a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from modelcycle.faults import BadInput

KINDS = {
    "sqlite": "sqlite", "postgresql": "postgresql", "postgres": "postgresql", "mysql": "mysql", "mariadb": "mysql",
    "mssql": "sql_server", "sqlserver": "sql_server",
}  # fmt: skip
"""The module for each scheme of a URL; a driver after + is ignored."""
FORM = "write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE (or mysql://, mssql://, sqlite:////path/to/file)"


@dataclass(frozen=True)
class DatabaseUrl:
    """A parsed URL.

    Parameters
    ----------
    text : the URL as it was given
    kind : a value of `KINDS`, or the scheme itself
    options : what follows the ?
    """

    text: str = field(repr=False)
    kind: str
    host: str
    port: int | None
    user: str
    password: str = field(repr=False)
    database: str
    options: dict[str, str]

    @property
    def name(self) -> str:
        """The database for people: without user and password."""
        if self.kind == "sqlite":
            return f"SQLite {self.database}"
        port = f":{self.port}" if self.port else ""
        return f"{self.kind.replace('_', ' ')} {self.host}{port}/{self.database}"


def parse_url(text: str, where: str) -> DatabaseUrl:
    """Parse the URL of a database, as SQLAlchemy writes it. No fault repeats any of it: it holds a password.

    Raises
    ------
    BadInput : it is not such a URL

    Examples
    --------
    >>> url = parse_url("postgresql://ann:s%40fe@db.example.org:5433/shop?sslmode=require", "source")
    >>> url.kind, url.host, url.port, url.user, url.password, url.database
    ('postgresql', 'db.example.org', 5433, 'ann', 's@fe', 'shop')
    >>> parse_url("sqlite:////data/trips.db", "source").database
    '/data/trips.db'
    """
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise BadInput(
            "the secret does not hold the URL of a database: its host or port cannot be read", where,
            f"{FORM}; characters such as @ : / # in a password are written as %40 %3A %2F %23",
        ) from None  # fmt: skip
    scheme = parts.scheme.split("+")[0].lower()
    if not scheme or "://" not in text:
        raise BadInput("the secret does not hold the URL of a database", where, FORM)
    kind = KINDS.get(scheme, scheme)
    path = unquote(parts.path).removeprefix("/")
    if kind != "sqlite" and kind in KINDS.values() and not (parts.hostname and path):
        missing = "host" if not parts.hostname else "database"
        raise BadInput(f"the URL in the secret names no {missing}", where, FORM)
    if kind == "sqlite" and not path:
        raise BadInput("the URL in the secret names no file", where, "write it as sqlite:////path/to/file")
    return DatabaseUrl(
        text.strip(), kind, parts.hostname or "", port, unquote(parts.username or ""), unquote(parts.password or ""),
        path, dict(parse_qsl(parts.query)),
    )  # fmt: skip
