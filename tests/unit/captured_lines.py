"""Captured lines and objects, as `predict` and Firehose write them, and the rows that a window reads of them."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from modelcycle.captured import open_window
from modelcycle.compact import compact
from modelcycle.engine import connect
from modelcycle.messages import Compacted, CompactRequest
from tests.fakes import MemoryStore

MODEL = "plums"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = NOON + 6 * HOUR


def line(number: int, instance: Any, at: datetime = NOON, **more: Any) -> bytes:
    """Return a captured line."""
    record = {
        "prediction_id": f"id-{number}", "at": at.isoformat(), "model": MODEL, "version": 1, "ms": 1.5, "of": 1,
        "prediction": "sweet", "probabilities": {"sweet": 0.75, "sour": 0.25}, "instance": instance,
    }  # fmt: skip
    return json.dumps(record | more).encode() + b"\n"


def key(hour: datetime, name: str, model: str | None = MODEL) -> str:
    """Return the key of a captured object; without a model, as version 0.1 named it."""
    return f"captures/{f'model={model}/' if model else ''}{hour:%Y/%m/%d/%H}/{name}"


def capture(store: MemoryStore, hour: datetime, name: str, *lines: bytes, model: str | None = MODEL) -> None:
    """Put an object of captured lines."""
    store.upload(key(hour, name, model), gzip.compress(b"".join(lines), mtime=0))


def hours(count: int, since: datetime = NOON) -> list[datetime]:
    return [since + timedelta(hours=number) for number in range(count)]


def compacted(store: MemoryStore, at: datetime = LATER) -> Compacted:
    return compact(CompactRequest(model=MODEL, at=at), data=store)


def read(
    store: MemoryStore, folder: Path, start: datetime = NOON, end: datetime = LATER, *, shadows: bool = False
) -> list[dict[str, Any]]:
    """Return the rows of a window, in the order of their ids; each instance as {name: (text, number, kind)}."""
    window = open_window(store, MODEL, start, end, folder / f"window-{len(list(folder.iterdir()))}")
    with connect(folder, "test") as engine:
        window.create_rows(engine, shadows=shadows)
        cells = ", ".join(f"({c.text}, {c.number}, {c.kind})" for c in window.cells.values())
        shares = ", ".join(window.probabilities.values())
        found = engine.execute(
            f"""SELECT prediction_id, "at", version, assigned, failure, shadow, ms, "of", prediction, [{shares}]
                  {", " + cells if cells else ""} FROM answered ORDER BY prediction_id"""
        ).fetchall()
    return [
        {
            "id": row[0], "row": row[1:9], "shares": dict(zip(window.probabilities, row[9], strict=True)),
            "instance": {n: c for n, c in zip(window.cells, row[10:], strict=True) if c[2] is not None},
        }
        for row in found
    ]  # fmt: skip


def parts(store: MemoryStore) -> list[str]:
    return [one for one in store.objects if one.endswith(".parquet")]
