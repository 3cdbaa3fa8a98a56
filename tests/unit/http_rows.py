"""Sources that pull from a server of the tests."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from modelcycle.sources.http import HttpRows
from modelcycle.spec import HttpSource

ROWS = [{"id": number, "price": number / 7, "name": f"n{number}"} for number in range(250)]


def no_secret(name: str) -> str:
    raise AssertionError(f"the secret {name} was asked for")


def source(url: str, *, secrets: Any = no_secret, slept: list[float] | None = None, **section: Any) -> HttpRows:
    section = {"allow_hosts": ["127.0.0.1"], **section}
    waits = [] if slept is None else slept
    return HttpRows(HttpSource(type="http", url=url, **section), secrets, "m.yaml: source", sleep=waits.append)


def pulled(rows: HttpRows, folder: Path, after: str | None = None) -> tuple[list[Any], str | None]:
    """Return the rows of a pull, and its watermark."""
    found: list[Any] = []
    watermark = None
    for landed in rows.batches(folder, after):
        text = landed.path.read_text(encoding="utf-8")
        lines = list(csv.DictReader(io.StringIO(text))) if landed.suffix == ".csv" else _lines(text)
        assert len(lines) == landed.rows
        landed.path.unlink()
        found += lines
        watermark = landed.watermark
    assert not list(folder.iterdir()), "a pull leaves no file behind"
    return found, watermark


def _lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]
