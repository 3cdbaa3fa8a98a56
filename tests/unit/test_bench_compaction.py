"""bench/compaction.py: what it reads before and after compacting are the same rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import compaction
from bench.folder_store import FolderStore


def test_the_rows_of_the_bench_are_the_same_before_and_after(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compaction, "HOURS", 2)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    compaction.write_captures(FolderStore(tmp_path / "data"), 150)
    lines = compaction.read_window(tmp_path)
    done = compaction.compact_day(tmp_path)
    for path in (tmp_path / "data" / "captures").rglob("*.gz"):
        path.unlink()
    parquet = compaction.read_window(tmp_path)
    assert (lines.rows, done.rows, parquet.rows) == (150, 150, 150)
    assert lines.total == pytest.approx(parquet.total)
