"""What `status` says of predictions that were not captured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.health.captures import add_captures
from cli.health.health import Health
from cli.place import Credentials, Place


class Logs:
    """Two pages of a log."""

    def __init__(self, *lines: Any) -> None:
        self.messages = [json.dumps(line) for line in lines]

    def filter_log_events(self, **request: Any) -> dict[str, Any]:
        first = "nextToken" not in request
        half = len(self.messages) // 2
        messages = self.messages[:half] if first else self.messages[half:]
        return {"events": [{"message": text} for text in messages]} | ({"nextToken": "2"} if first else {})


def health_of(monkeypatch: pytest.MonkeyPatch, *lines: Any) -> Health:
    monkeypatch.setattr(Place, "client", lambda place, service: Logs(*lines))
    health = Health("local", True)
    add_captures(Place("local", None, {"PredictLog": "predict"}, Credentials("", "")), health)  # type: ignore[arg-type]
    return health


def test_rows_that_were_given_up_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [{"message": "not captured", "rows": 3}, {"message": "answered", "rows": 9}, "x", 1]
    health = health_of(monkeypatch, *lines, {"message": "not captured", "rows": 4})
    assert health.problems[0][0].startswith("7 rows answered since yesterday and not captured")
    assert dict(health.facts)["not captured"] == "7 rows since yesterday"


def test_without_any_nothing_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    health = health_of(monkeypatch, {"message": "answered", "rows": 9})
    assert health.problems == [] and dict(health.facts)["not captured"] == "0 rows since yesterday"
