"""What people see of staging: the line of a run, and the report with a version."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from cli.screens.staged import staged_text
from cli.screens.steps import figures
from cli.show import _staging_report
from modelcycle.messages import Staged
from tests.memory_place import ARTIFACT
from tests.unit.test_shadow_replay import Replayed
from tests.unit.test_stage import QUICK, Registered


def line(staged: Staged) -> Any:
    return figures(
        SimpleNamespace(name="stage", status="done", results={"stage": staged.wire()}, in_container="")  # type: ignore[arg-type]
    )


def test_the_line_of_a_run_has_the_figures_that_matter() -> None:
    staged = Staged(
        verdict="passed", reasons=[], rows=200, p50_ms=0.21, p99_ms=0.34, differences=0, approval=False,
        report=ARTIFACT,
        rows_per_second=1244.2, at_once=4, own_p99_ms=1.64, memory_mb=114.2, cold_start_ms=191.4, replayed=200,
        disagreements=13, disagreement=(0.038, 0.108), champion=1, notes=["one thing"],
    )  # fmt: skip
    shown = line(staged)
    assert shown.parts == [
        "200 rows replayed", "p50 0.2 ms", "p99 0.3 ms", "0 differences", "in the serving function: p99 1.6 ms",
        "1,244 rows/s with 4 at once", "114 MB", "cold start 191 ms",
        "13 of 200 live rows answered otherwise than by version 1 (3.8% to 10.8%)",
    ]  # fmt: skip
    assert shown.sentences == ["one thing"]


def test_a_message_of_older_code_is_shown() -> None:
    old = {
        "schema": 1, "verdict": "refused", "reasons": ["slow"], "rows": 3, "p50_ms": 1, "p99_ms": 2, "differences": 0,
        "approval": False, "moves": 4, "report": ARTIFACT.model_dump(),
    }  # fmt: skip
    shown = line(Staged.model_validate(old))
    assert shown.parts[-1] == "0 differences" and shown.sentences == ["slow"]


def test_the_report_of_a_version_has_each_level_and_where_the_figures_come_from() -> None:
    run = Registered(staging=QUICK | {"concurrency": [1, 3], "soak_seconds": 0.1})
    text = staged_text(run.report())
    assert "staging        passed by run r1" in text and "memory         101 MB at most" in text
    assert "300 ms to start" in text and "the slowest of 3, started at once" in text
    assert "the function itself; Lambda's log has none here" in text
    assert "took           rehearsal 0." in text and "note           no captured requests replayed" in text
    rows = [row.split() for row in text.splitlines()]
    assert [row[0] for row in rows if len(row) == 11 and row[0].isdigit()] == ["1", "3", "3"]
    reported = Registered(staging=QUICK)
    reported.function.reports = True
    assert "measured by    Lambda's log" in staged_text(reported.report())


def test_a_refused_version_shows_each_reason_and_a_leak() -> None:
    run = Registered(staging=QUICK | {"concurrency": [1], "soak_seconds": 0.3, "memory_mb": 50})
    run.function.leak_mb, run.function.seconds = 0.1, 0.001
    text = staged_text(run.report())
    assert "refused by run r1" in text and text.count("against it") == 2
    assert "memory grows with each request (+" in text


def test_a_report_without_load_test_and_replay_is_shown() -> None:
    text = staged_text(Registered(staging=QUICK | {"concurrency": []}).report())
    assert "no load test" in text and "at once" not in text


def test_the_rows_that_differ_most_are_shown_without_values() -> None:
    run = Replayed(300)
    staged = run.stage()
    report = json.loads(run.store.read(staged.report))
    text = staged_text(report)
    first = report["replay"]["most_different"][0]
    assert f"{staged.disagreements} of 200 rows answered otherwise than by version 1: " in text
    assert first["prediction_id"] in text and f"{first['distance']:.3g}" in text
    assert not {"red", "blue", "ünï"} & set(text.split())


def test_the_newest_report_of_a_version_is_found_and_none_is_no_error() -> None:
    run = Replayed(3)
    run.stage()
    newer = run.store.objects["odd-names/staging/00000002/r2/report.json"].replace(b'"r2"', b'"r3"')
    run.store.objects["odd-names/staging/00000002/r3/report.json"] = newer
    run.store.latest = lambda key: (run.store.objects[key], None)  # type: ignore[attr-defined]
    found = _staging_report(run.store, "odd-names", 2)  # type: ignore[arg-type]
    assert found and found["run_id"] == "r3"
    assert _staging_report(run.store, "odd-names", 1) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_other_tasks_are_shown_too(task: Any) -> None:
    assert "passed by run" in staged_text(Registered(task).report())
