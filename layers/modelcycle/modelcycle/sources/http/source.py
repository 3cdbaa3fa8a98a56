"""The rows of an API, in files."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from modelcycle.faults import BadData, BadPipeline
from modelcycle.sources.http import json_page
from modelcycle.sources.http.client import Answer, Client, shown, split_address
from modelcycle.sources.http.csv_page import CsvPage
from modelcycle.sources.http.decompress import decompress
from modelcycle.sources.http.pages import Page, Paging, with_query
from modelcycle.sources.http.row_files import RowFiles
from modelcycle.sources.http.secret_headers import secret_headers
from modelcycle.sources.http.shape import Shape
from modelcycle.sources.http.unchanged import conditions_of, state_of
from modelcycle.sources.http.watermarks import Latest
from modelcycle.sources.protocol import Landed, Secrets
from modelcycle.spec import HttpSource

MAX_PULL_SECONDS = 780  # of one pull; its function has 900
MAX_JSON_BYTES = 128 * 2**20  # of one JSON answer, which is held in memory; CSV and JSON lines are streamed
MAX_CUT_ANSWERS = 2  # a page that ends in the middle is asked for again so often
SUFFIX = {"json": ".jsonl", "jsonl": ".jsonl", "csv": ".csv"}


class HttpRows:
    """Rows of a JSON or CSV API.

    With a watermark column, a pull gives the rows above the last watermark. Without one it gives all rows, which
    replace the landed ones, unless the API says that nothing has changed (ETag, Last-Modified).

    Parameters
    ----------
    spec : the section of the pipeline file
    where : the section, for faults
    client_options : passed on to `Client`; for tests
    """

    def __init__(self, spec: HttpSource, secrets: Secrets, where: str, **client_options: Any) -> None:
        self.spec = spec
        self.secrets = secrets
        self.where = where
        self.client_options = client_options
        self.notes: list[str] = []
        split_address(spec.url)

    @property
    def definition(self) -> str:
        what = self.spec.model_dump(
            mode="json", include={"url", "format", "rows", "watermark", "watermark_parameter", "csv"}
        )
        return json.dumps(what | {"pages": self.spec.pages.by if self.spec.pages else None}, sort_keys=True)

    @property
    def replaces(self) -> bool:
        return self.spec.watermark is None

    def batches(self, folder: Path, after: str | None) -> Iterator[Landed]:
        self.notes = []
        url = self.spec.url
        conditions: dict[str, str] = {}
        if self.replaces:
            conditions, after = conditions_of(after), None
        elif after is not None and self.spec.watermark_parameter:
            url = with_query(url, {self.spec.watermark_parameter: after})
        clock = self.client_options.get("clock", time.monotonic)
        client = Client(
            url, secret_headers(self.spec.secret, self.secrets), self.spec.allow_hosts, self.spec.timeout_seconds,
            **{"ends_at": clock() + MAX_PULL_SECONDS, **self.client_options},
        )  # fmt: skip
        try:
            yield from _Pull(self.spec, client, folder, url, after, conditions, self.notes).files()
        finally:
            client.close()
        if client.retries:
            self.notes.append(f"{client.retries} request{'s' if client.retries > 1 else ''} had to be repeated")


class _Pull:
    """One pull: page by page to files."""

    def __init__(
        self, spec: HttpSource, client: Client, folder: Path, url: str, after: str | None,
        conditions: Mapping[str, str], notes: list[str],
    ) -> None:  # fmt: skip
        self.spec = spec
        self.client = client
        self.folder = folder
        self.where = shown(url)
        self.conditions = conditions if spec.pages is None else {}
        self.notes = notes
        self.paging = Paging(spec.pages, url)
        self.shape = Shape()
        self.rows = RowFiles(folder, SUFFIX[spec.format])
        self.latest = Latest(spec.watermark, after, self.where) if spec.watermark else None
        self.header: list[str] | None = None  # of CSV
        self.bytes = 0
        self.read = 0  # rows

    def files(self) -> Iterator[Landed]:
        """Yield the files; the last one with the watermark."""
        try:
            yield from self._files()
        finally:
            self.rows.discard()
            for name in ("answer", "plain"):
                (self.folder / name).unlink(missing_ok=True)

    def _files(self) -> Iterator[Landed]:
        url: str | None = self.paging.first()
        number, state = 0, None
        while url is not None:
            number += 1
            body = self.folder / "answer"
            answer = self._get(url, body, number)
            if answer.status == 304:
                self.notes.append("the API says that nothing has changed")
                return
            if answer.status == 404:
                self.notes.append(f"page {number} does not exist (404); it was taken as the end")
                break
            before, digest = self.read, hashlib.sha256()
            where = f"{self.where}, page {number}" if self.spec.pages else self.where
            for line, is_new in self._rows(body, answer, number, where):
                digest.update(line)
                if is_new:
                    yield from self.rows.add(line)
            self.shape.end_page(number, self.where)
            page = Page(number, url, answer, self.read - before, before, digest.digest())
            url = self.paging.next(page, partial(self._value_at, body, where))
            state = state_of(answer) if self.spec.pages is None else None
            body.unlink()
        self._check_watermark()
        self.notes += self.paging.notes
        yield from self.rows.end(self.latest.text if self.latest else state)

    def _get(self, url: str, body: Path, number: int) -> Answer:
        """Write a page to a file; a page that ends in the middle is asked for again."""
        left = self.spec.max_bytes - self.bytes
        for attempt in range(MAX_CUT_ANSWERS + 1):
            answer = self.client.get(url, body, left, self.conditions)
            if answer.status in (204, 304):
                body.write_bytes(b"")
                break
            if answer.status == 404:
                if number > 1 and self.spec.pages and self.spec.pages.by in ("page", "offset"):
                    break
                raise BadData("the API answers 404: there is nothing", shown(answer.url), "correct source.url")
            decompress(body, left, self.where)
            self._check_body(body, answer)
            if not self._is_cut(body) or attempt == MAX_CUT_ANSWERS:
                break
            self.client.retries += 1
        self.bytes += body.stat().st_size
        return answer

    def _check_body(self, body: Path, answer: Answer) -> None:
        with body.open("rb") as file:
            head = file.read(4096)
        where = shown(answer.url)
        json_page.check_not_html(head, answer.headers.get("Content-Type", ""), where)
        if self.spec.format == "json" and body.stat().st_size > MAX_JSON_BYTES:
            raise BadData(
                f"one answer has more than {MAX_JSON_BYTES >> 20} MiB of JSON", where,
                "ask for pages (source.pages), or for JSON lines or CSV (source.format), which are read as they come",
            )  # fmt: skip
        first = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        if self.spec.format == "jsonl" and first == b"[":
            raise BadData("the answer is one JSON list, not JSON lines", where, "set source.format: json")
        if self.spec.format == "csv" and first in (b"[", b"{"):
            raise BadData("the answer is JSON, not CSV", where, "set source.format: json or jsonl")

    def _is_cut(self, body: Path) -> bool:
        """Whether a JSON answer ends before its last bracket."""
        if self.spec.format != "json":
            return False
        with body.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 4096))
            return not file.read().rstrip().endswith((b"]", b"}"))

    def _rows(self, body: Path, answer: Answer, number: int, where: str) -> Iterator[tuple[bytes, bool]]:
        """Yield the rows of a page, each as a line, and whether it is new."""
        if answer.status == 204:
            return
        rows = self._csv_rows(body, number, where) if self.spec.format == "csv" else self._json_rows(body, where)
        for line, watermark in rows:
            self.read += 1
            yield line, self.latest is None or self.latest.is_new(watermark)

    def _json_rows(self, body: Path, where: str) -> Iterator[tuple[bytes, str | None]]:
        if self.spec.format == "json":
            text = json_page.read_text(body.read_bytes(), where)
            for row in json_page.rows_of(text, self.spec.rows, where):
                self.shape.add(row.value)
                yield row.text.encode(errors="surrogatepass") + b"\n", self._watermark(row.value)
            return
        with body.open("rb") as file:
            for line in file:
                content = line.strip(b"\xef\xbb\xbf \t\r\n")
                if not content:
                    continue
                try:
                    value = json.loads(content)
                except (ValueError, RecursionError):
                    value = None  # `collect` keeps the broken line, with its reason
                if isinstance(value, dict):
                    self.shape.add(value)
                yield content + b"\n", self._watermark(value)

    def _csv_rows(self, body: Path, number: int, where: str) -> Iterator[tuple[bytes, str | None]]:
        if not body.stat().st_size:
            return
        page = CsvPage(body, self.spec.csv, where)
        if self.header is None:
            self.header, self.rows.head = page.names, page.head
        elif page.names != self.header:
            lost = [name for name in self.header if name not in page.names]
            raise BadData(
                f"the header of page {number} is not that of the first page"
                + (f": it lacks {', '.join(repr(name[:60]) for name in lost[:5])}" if lost else ""),
                where, "ask the owner of the API; each page has to begin with the same header",
            )  # fmt: skip
        column = self.header.index(self.spec.watermark) if self.spec.watermark in self.header else None
        for record in page:
            fields = page.fields(record) if column is not None else []
            yield record, fields[column] if column is not None and len(fields) > column else None

    def _watermark(self, row: Any) -> str | None:
        if self.spec.watermark is None or not isinstance(row, dict):
            return None
        value: Any = row
        for key in [self.spec.watermark] if self.spec.watermark in row else self.spec.watermark.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return None if value is None or isinstance(value, (dict, list, bool)) else str(value)

    def _value_at(self, body: Path, where: str, path: str) -> Any:
        return json_page.value_at(json_page.read_text(body.read_bytes(), where), path, where)

    def _check_watermark(self) -> None:
        if self.latest is None or not self.latest.without:
            return
        if self.latest.without == self.read:
            names = self.header or self.shape.names
            raise BadPipeline(
                f"no row has the watermark column {self.latest.column!r}", self.where,
                f"correct source.watermark; there are {', '.join(name[:60] for name in names[:12])}",
            )  # fmt: skip
        kept = "were left out" if self.latest.after is not None else "are read only this once"
        self.notes.append(f"{self.latest.without} rows without {self.latest.column!r} {kept}")
