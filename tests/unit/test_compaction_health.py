"""What `status` says of captured answers that wait to be compacted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cli.health.compaction import add_compaction
from cli.health.health import Health
from modelcycle.captured.manifest import Progress, progress_key
from tests.fakes import MemoryStore
from tests.unit.captured_lines import NOON

HOUR = timedelta(hours=1)


def health_of(monkeypatch: pytest.MonkeyPatch, lags: dict[str, int | None]) -> Health:
    """Return the health of a place whose models lag behind by hours; None: a model that was never compacted."""
    store = MemoryStore("data")
    for model, lag in lags.items():
        if lag is not None:
            store.upload(progress_key(model), Progress(through=NOON - lag * HOUR).model_dump_json().encode())
    monkeypatch.setattr("cli.health.compaction.S3Store", lambda client, bucket: store)

    class Runs:
        models = staticmethod(lambda: sorted(lags))

    place: Any = type(
        "Somewhere", (), {"outputs": {"DataBucket": "data", "CompactFunction": "f"}, "s3": None,
                          "registry": type("Registry", (), {"runs": Runs})}
    )()  # fmt: skip
    health = Health("local", True)
    add_compaction(place, health, NOON + timedelta(minutes=59))
    return health


def test_a_model_that_lags_is_named_with_its_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    health = health_of(monkeypatch, {"apples": 4, "plums": 1, "figs": 30})
    assert health.problems[0][0] == "captured answers wait to be compacted: figs (30 hours), apples (4 hours)"
    assert dict(health.facts)["compacted"] == "30 hours behind"


def test_models_that_keep_up_are_no_problem_and_new_ones_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    health = health_of(monkeypatch, {"apples": 0, "plums": 1, "figs": None})
    assert health.problems == []
    assert dict(health.facts)["compacted"] == "1 hour behind, 1 model not compacted yet"


def test_without_models_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert health_of(monkeypatch, {}).facts == []
