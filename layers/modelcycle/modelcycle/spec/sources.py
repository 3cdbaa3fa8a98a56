"""Where rows come from: the sources of the pipeline file."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from modelcycle.spec.section import ColumnName, Section

SourceName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$")]
SecretName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9/_+=.@-]{1,256}$")]
Every = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,3} (minute|hour|day)s?$")]
MAIN = "main"
"""The name of the source that gives the rows themselves."""


class Csv(Section):
    """How CSV files are written; what is not given is found in each file."""

    delimiter: str | None = Field(None, min_length=1, max_length=1, description="the character between two values")
    quote: str | None = Field(None, min_length=1, max_length=1, description='the character around texts; default "')
    encoding: Literal["utf-8", "utf-16", "latin-1", "windows-1252"] | None = None
    skip: int | None = Field(None, ge=0, le=1000, description="lines above the header")


class S3Source(Section):
    """Files in S3: CSV, JSON lines or Parquet. Uploads push them; nothing is pulled."""

    type: Literal["s3"] = "s3"
    bucket: str | None = Field(None, min_length=3, max_length=63, description="default: the data bucket of the stack")
    prefix: str | None = Field(None, max_length=512, description="default: raw/{name}/")
    csv: Csv = Csv()
    every: Every | None = Field(None, description="look for new files that often; only with a bucket or prefix")

    @property
    def is_elsewhere(self) -> bool:
        """Whether the files lie outside raw/{model}/ and are copied from there."""
        return self.bucket is not None or self.prefix is not None

    @model_validator(mode="after")
    def _every_elsewhere(self) -> S3Source:
        if self.every is not None and not self.is_elsewhere:
            raise ValueError("every needs a bucket or prefix: an upload to raw/ starts a run by itself")
        return self


class SqlSource(Section):
    """A table or query of SQLite, PostgreSQL, MySQL or SQL Server, read-only."""

    type: Literal["sql"]
    secret: SecretName = Field(
        description="name of the secret that holds the URL, such as postgresql://user:...@host/db"
    )
    table: str | None = Field(None, min_length=1, max_length=256)
    query: str | None = Field(None, min_length=1, max_length=100_000, description="one SELECT")
    watermark: ColumnName | None = Field(
        None, description="a column that only grows, such as an id or a time: then only newer rows are read"
    )
    timeout_seconds: int = Field(300, ge=1, le=800, description="of the statement")
    every: Every | None = Field(None, description="pull that often")

    @model_validator(mode="after")
    def _table_or_query(self) -> SqlSource:
        if (self.table is None) == (self.query is None):
            raise ValueError("give either table or query")
        return self


class Pages(Section):
    """How an API divides its rows into pages."""

    by: Literal["page", "offset", "cursor", "link"]
    parameter: str = Field("page", description="query parameter that holds the page, the offset or the cursor")
    size_parameter: str | None = Field(None, description="query parameter that holds the rows of a page")
    size: int = Field(100, ge=1, le=100_000, description="rows of a page")
    first: int = Field(1, ge=0, description="the first page")
    cursor: str | None = Field(None, description="path to the next cursor in the answer, such as meta.next")

    @model_validator(mode="after")
    def _path_of_cursor(self) -> Pages:
        if self.by == "cursor" and not self.cursor:
            raise ValueError("pages by cursor need `cursor`, the path to the next one in the answer, such as meta.next")
        return self


class HttpSource(Section):
    """A JSON or CSV API."""

    type: Literal["http"]
    url: str = Field(pattern=r"^https?://[^\s]+$", max_length=2048)
    format: Literal["json", "jsonl", "csv"] = "json"
    rows: str = Field("", description="path to the list of rows in the answer, such as data.items; default: the answer")
    pages: Pages | None = None
    secret: SecretName | None = Field(None, description="name of the secret that holds the headers, as a JSON object")
    watermark: ColumnName | None = Field(None, description="a column that only grows")
    watermark_parameter: str | None = Field(None, description="query parameter that asks for rows above the watermark")
    allow_hosts: list[str] = Field([], description="hosts that are allowed although their address is private")
    timeout_seconds: int = Field(30, ge=1, le=300, description="of one request")
    max_bytes: int = Field(2**30, ge=1, le=2**31, description="of all answers together")
    csv: Csv = Csv()
    every: Every | None = Field(None, description="pull that often")

    @model_validator(mode="after")
    def _keys_that_fit(self) -> HttpSource:
        if self.pages and self.pages.by == "cursor" and self.format != "json":
            raise ValueError("pages by cursor need `format: json`; other answers have no cursor")
        if self.watermark_parameter and not self.watermark:
            raise ValueError("watermark_parameter needs `watermark`, the column that holds it")
        return self


class StreamSource(Section):
    """JSON records of the stack's Kinesis stream or SQS queue; they name their model in the field `model`."""

    type: Literal["stream"]
    event_time: ColumnName | None = Field(None, description="time of the event; default: when it arrived")
    id: ColumnName | None = Field(None, description="of two records with the same value, only one is kept")
    every: Every | None = Field(None, description="train that often on what has arrived")


SOURCE_TYPES: dict[str, type[Section]] = {"s3": S3Source, "sql": SqlSource, "http": HttpSource, "stream": StreamSource}
"""The section of each `source.type`."""


def _with_type(value: Any) -> Any:
    """Return the section with the default type."""
    return {"type": "s3", **value} if isinstance(value, dict) else value


Source = Annotated[
    Annotated[S3Source | SqlSource | HttpSource | StreamSource, Field(discriminator="type")],
    BeforeValidator(_with_type),
]


class Join(Section):
    """Another source, whose columns are added to the rows that have the same key."""

    name: SourceName
    source: Source
    on: list[ColumnName] = Field(min_length=1, description="columns of the key, which both have")
    time_column: ColumnName | None = Field(
        None, description="when a row of this source became known; only what was known at the row's time is joined"
    )

    @model_validator(mode="before")
    @classmethod
    def _on_is_a_key(cls, value: Any) -> Any:
        """Rename the key `on`, which YAML 1.1 reads as true."""
        return {"on" if key is True else key: item for key, item in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _can_be_read(self) -> Join:
        if self.name == MAIN:
            raise ValueError("the name main is that of the rows themselves: choose another")
        if isinstance(self.source, S3Source) and not self.source.is_elsewhere:
            raise ValueError("a joined s3 source needs a bucket or prefix: raw/ holds the rows themselves")
        if isinstance(self.source, StreamSource):
            raise ValueError("a stream cannot be joined: it gives the rows themselves")
        return self


def csv_of(source: Source) -> Csv:
    """Return how the CSV files of a source are written."""
    return source.csv if isinstance(source, S3Source | HttpSource) else Csv()


def is_pulled(source: Source) -> bool:
    """Return whether rows are pulled from a source; uploads and records of a stream arrive by themselves."""
    return source.is_elsewhere if isinstance(source, S3Source) else not isinstance(source, StreamSource)
