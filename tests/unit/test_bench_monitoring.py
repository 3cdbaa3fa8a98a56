"""bench/monitoring.py: its rows change as they say; ours finds a slight change and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench import monitoring
from bench.monitoring import look, write_world
from bench.monitoring_rows import CHANGED, make_rows


def test_rows_are_drawn_again_alike_and_three_columns_change() -> None:
    before, now = make_rows(2_000, 1), make_rows(2_000, 1, "moderate")
    assert before.equals(make_rows(2_000, 1)) and before.shape == (2_000, 30)
    assert {name for name in before if not before[name].equals(now[name])} == set(CHANGED)


def test_a_moderate_change_is_found_in_three_of_three_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitoring, "REFERENCE_ROWS", 5_000)
    monkeypatch.setitem(os.environ, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
    write_world(tmp_path, 5_000, "moderate")
    found = look(tmp_path)
    assert sorted(found.drifted) == sorted(CHANGED)
    assert 0 < found.seconds == found.parts["summarize"] + found.parts["judge"]
