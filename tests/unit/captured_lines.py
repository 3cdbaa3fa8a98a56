"""Captured lines and objects, as `predict` and Firehose write them."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes import MemoryStore

MODEL = "plums"
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


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
