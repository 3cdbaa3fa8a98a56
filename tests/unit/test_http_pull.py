"""Pulls from an API: killed anywhere, flaky or changed in between, the landed rows are those of the API, each once."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from modelcycle.collect import collect
from modelcycle.collect.pull import pull
from modelcycle.faults import BadData
from modelcycle.messages import Collected, CollectRequest, Pulled
from modelcycle.registry import Registry
from modelcycle.sources.http import client, row_files
from modelcycle.spec import Pipeline
from tests.api_server import Answering, Asked, Reply, as_json, in_pages, serving
from tests.unit.data_steps import Workspace, workspace_with
from tests.unit.killable import KillableStore, KillableTable, Killed

ROOT = Path(__file__).resolve().parents[2]
ROWS = [{"id": number, "y": number % 7} for number in range(200)]
PAGES = {"by": "page", "size_parameter": "size", "size": 30}


class Pulling:
    """A workspace whose model `m` pulls from an API."""

    def __init__(self, url: str, target: str = "y", **source: Any) -> None:
        self.data = KillableStore()
        self.workspace = Workspace(data=self.data, registry=Registry(KillableTable(self.data)))
        section = {"type": "http", "url": url, "allow_hosts": ["127.0.0.1"], **source}
        self.options: dict[str, Any] = {"target": target, "source": section}

    def pull(self) -> Pulled:
        pipeline = Pipeline(name="m", **self.options)
        landings = self.workspace.registry.landings
        return pull(pipeline, data=self.data, buckets=lambda _: self.data, landings=landings, secrets=lambda _: "{}")

    def collect(self, run_id: str = "r1") -> Collected:
        workspace = self.workspace
        request = CollectRequest(run=workspace.run(run_id, **self.options))
        registry = workspace.registry
        return collect(
            request, data=self.data, artifacts=workspace.artifacts, leases=registry.leases, results=registry.results,
            registry=registry, code="1",
        )  # fmt: skip

    def rows(self, run_id: str = "r1") -> list[dict[str, int]]:
        found = self.workspace.rows(self.collect(run_id))
        return [{"id": int(number), "y": int(y)} for number, y in found]


@pytest.fixture(autouse=True)
def small_files_and_short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_files, "MAX_FILE_BYTES", 1000)
    monkeypatch.setattr(client, "FIRST_PAUSE_SECONDS", 0.001)


def selecting(rows: list[dict[str, int]]) -> Answering:
    """An API that gives the rows from `since` on, that one included, page by page."""

    def answer(asked: Asked) -> Reply:
        return in_pages([row for row in rows if row["id"] >= int(asked.query.get("since", 0))])(asked)

    return answer


@pytest.mark.parametrize("watermark", [None, "id"])
@pytest.mark.parametrize("kill", range(12))
def test_killed_anywhere_and_pulled_again_every_row_is_there_once(watermark: str | None, kill: int) -> None:
    with serving(selecting(ROWS)) as api:
        pulling = Pulling(api.url, pages=PAGES, rows="data.items", watermark=watermark)
        pulling.data.until_kill = kill
        with pytest.raises(Killed):
            pulling.pull()
        pulling.pull()
        pulling.pull()
        assert pulling.rows() == ROWS


def test_new_rows_are_added_and_none_comes_twice() -> None:
    rows = ROWS[:150].copy()
    with serving(selecting(rows)) as api:
        pulling = Pulling(api.url, pages=PAGES, rows="data.items", watermark="id", watermark_parameter="since")
        assert pulling.pull().rows == 150
        assert pulling.pull().rows == 0
        rows += ROWS[150:]
        assert pulling.pull().rows == 50
        assert pulling.rows() == ROWS
        assert api.asked[-1].query["since"] == "149"


def test_without_a_watermark_the_rows_are_replaced() -> None:
    rows = ROWS[:100].copy()
    with serving(in_pages(rows)) as api:
        pulling = Pulling(api.url, pages=PAGES, rows="data.items")
        assert pulling.pull().rows == 100
        assert pulling.pull().files == []  # the same rows are the same files
        del rows[::2]
        pulling.pull()
        assert pulling.rows() == rows


def test_an_unchanged_answer_is_not_read_again() -> None:
    rows = ROWS[:10].copy()

    def answer(asked: Asked) -> Reply:
        tag = f'"{len(rows)}"'
        return Reply(b"", 304) if asked.headers.get("if-none-match") == tag else as_json(rows, ETag=tag)

    with serving(answer) as api:
        pulling = Pulling(api.url)
        assert pulling.pull().rows == 10
        unchanged = pulling.pull()
        assert (unchanged.rows, unchanged.detail) == (0, "the API says that nothing has changed")
        rows += ROWS[10:20]
        pulling.pull()
        assert pulling.rows() == ROWS[:20]


def test_a_pull_that_fails_half_way_leaves_what_was_there() -> None:
    broken: list[int] = []

    def faults(asked: Asked) -> Reply | None:
        return Reply(b"<html>sorry") if broken and asked.query.get("page") == "5" else None

    with serving(in_pages(ROWS, faults)) as api:
        pulling = Pulling(api.url, pages=PAGES, rows="data.items")
        pulling.pull()
        broken.append(1)
        with pytest.raises(BadData, match="HTML"):
            pulling.pull()
        assert pulling.rows() == ROWS


def test_a_flaky_api_gives_the_content_of_the_same_csv_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_files, "MAX_FILE_BYTES", 500_000)
    bikes = gzip.decompress((ROOT / "examples/data/bikeshare.csv.gz").read_bytes())
    rows = [
        {name: _number(value) for name, value in row.items()} for row in csv.DictReader(io.StringIO(bikes.decode()))
    ]

    def faults(asked: Asked) -> Reply | None:
        whole = json.dumps({"data": {"items": rows[:400]}}).encode()
        return [None, Reply(b"", 429, {"Retry-After": "0"}), Reply(b"", 503), Reply(whole, cut=3000)][asked.number % 4]

    with serving(in_pages(rows, faults)) as api:
        pulling = Pulling(api.url, "bikers", pages=PAGES | {"size": 1000}, rows="data.items")
        pulled = pulling.pull()
    assert pulled.rows == 8645
    assert "requests had to be repeated" in pulled.detail
    workspace, run = workspace_with(target="bikers", bikes__csv=bikes)
    uploaded, collected = workspace.collect(run), pulling.collect()
    assert collected.content == uploaded.content != ""
    assert collected.rows == uploaded.rows == 8645


def _number(text: str) -> Any:
    try:
        return float(text) if "." in text else int(text)
    except ValueError:
        return text
