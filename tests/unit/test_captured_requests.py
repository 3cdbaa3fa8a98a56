"""The newest captured requests of a model, from whatever Firehose has written."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from modelcycle.faults import Fault, Transient, Unknown
from modelcycle.stage import captured_requests as module
from modelcycle.stage.captured_requests import captured_requests
from modelcycle.store import Listed
from tests.fakes import MemoryStore

NOW = datetime(2026, 11, 29, 1, 30, tzinfo=UTC)


def line(number: int, **more: Any) -> bytes:
    record = {"prediction_id": f"p{number}", "instance": {"größe": number}, "model": "plums", "version": 1}
    return json.dumps(record | more).encode() + b"\n"


def store(**objects: bytes) -> MemoryStore:
    data = MemoryStore("data")
    for key, body in objects.items():
        data.upload(f"captures/model=plums/{key}", body)
    return data


def ids(data: Any, wanted: int = 100, model: str = "plums") -> list[str]:
    return [request.prediction_id for request in captured_requests(data, model, wanted, NOW).requests]


def test_the_newest_come_first_over_hours_and_days() -> None:
    data = store(**{
        "2026/11/29/01/a": line(5) + line(6), "2026/11/29/00/b": line(4), "2026/11/28/23/c": line(2) + line(3),
        "2026/11/02/10/d": line(1), "2026/10/01/10/e": line(0),
    })  # fmt: skip
    assert ids(data) == ["p6", "p5", "p4", "p3", "p2", "p1"]
    assert ids(data, 3) == ["p6", "p5", "p4"]


def test_gzip_and_plain_objects_repeated_and_broken_lines_and_shadows() -> None:
    data = store(**{
        "2026/11/29/01/a.gz": gzip.compress(line(1) + line(2) + line(1)),
        "2026/11/29/01/b": b'not json\n[1]\n"x"\n' + line(3, shadow=True) + line(2) + line(4, instance=7)
        + json.dumps({"instance": {}}).encode() + b"\n" + line(5)[:-1],
    })  # fmt: skip
    assert ids(data) == ["p5", "p2", "p1"]


def test_another_model_is_another_prefix() -> None:
    data = store(**{"2026/11/29/01/a": line(1)})
    data.upload("captures/model=plums-2/2026/11/29/01/a", line(2))
    data.upload("captures/2026/11/29/01/a", line(3))
    assert ids(data) == ["p1"] and ids(data, model="plums-2") == ["p2"] and ids(data, model="plum") == []


def test_an_object_that_cannot_be_read_is_counted_and_the_others_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gzip.compress(b"".join(map(line, range(100, 400))))
    data = store(**{
        "2026/11/29/01/a": line(1), "2026/11/29/01/b.gz": whole[: len(whole) // 2], "2026/11/29/01/c": line(3) * 5000,
    })  # fmt: skip
    monkeypatch.setattr(module, "MAX_OBJECT_BYTES", 100_000)
    captures = captured_requests(data, "plums", 100, NOW)
    assert [request.prediction_id for request in captures.requests] == ["p1"] and captures.unread == 2


@pytest.mark.parametrize("fault", [Transient("it was replaced"), Unknown("it was deleted")])
def test_an_object_that_is_replaced_or_deleted_meanwhile_is_counted(fault: Fault) -> None:
    class Replaced(MemoryStore):
        def download(self, listed: Listed, path: Path) -> str | None:
            raise fault

    data = Replaced("data")
    data.upload("captures/model=plums/2026/11/29/01/a", line(1))
    captures = captured_requests(data, "plums", 100, NOW)
    assert not captures.requests and captures.unread == 1 and captures.days == module.MAX_DAYS


def test_a_line_that_is_too_long_is_skipped_and_objects_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE_BYTES", 200)
    long = line(1, padding="x" * 1000)
    assert ids(store(**{"2026/11/29/01/a": line(0) + long + line(2)})) == ["p2", "p0"]
    monkeypatch.setattr(module, "MAX_OBJECTS", 3)
    assert ids(store(**{f"2026/11/29/01/{n}": line(n) for n in range(9)})) == ["p8", "p7", "p6"]


def test_wide_rows_are_read_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = [line(number, instance={"text": "x" * 1000}) for number in range(10)]
    data = store(**{"2026/11/29/01/a": b"".join(wide[:6]), "2026/11/29/01/b": b"".join(wide[6:])})
    monkeypatch.setattr(module, "MAX_BYTES", len(wide[0]) * 7)
    assert ids(data) == ["p9", "p8", "p7", "p6", "p5", "p4", "p3"]
    monkeypatch.setattr(module, "MAX_BYTES", len(wide[0]) * 2)
    assert ids(data) == ["p9", "p8"]
