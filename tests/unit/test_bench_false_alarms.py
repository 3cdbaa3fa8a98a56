"""The shape of `bench/false_alarms.py`, with few windows: what they find, and what they find without a change."""

from __future__ import annotations

from bench.false_alarms import CASES, measure


def test_windows_without_a_change_are_calm_and_moderate_changes_are_seen() -> None:
    for case in ("same", "correlated"):
        calm = measure(case, 500, 3, reference_rows=5_000, joint=False)
        assert calm.beyond_chance <= 1 and calm.alarmed == 0
    seen = measure("moderate", 5_000, 1, reference_rows=10_000, joint=False)
    assert seen.seen == seen.changed == 3 and "seen 3 of 3" in str(seen)
    found = measure("strong", 5_000, 1, reference_rows=10_000, joint=False)
    assert found.found == found.changed == 3
    assert list(CASES) == ["same", "correlated", "slight", "moderate", "strong"]
