"""The screens of monitoring: the verdict with its reasons first, then the signals, the gravest first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cli.screens.monitored import monitored_text, windows_text
from modelcycle.messages import Estimate, MonitoringReport, Signal, VersionResources, Watched
from tests.memory_place import AT
from tests.unit.test_cli_show import monitored


def report(*signals: Signal, **more: Any) -> MonitoringReport:
    window = (AT, AT + timedelta(hours=24))
    return MonitoringReport(
        model="m", version=2, kind="day", window=window, rows=500, state="ok", why=[], signals=list(signals), **more
    )


def screen(result: Any, *signals: Signal, **more: Any) -> list[str]:
    return monitored_text(Watched(model="m", windows=[result]), [report(*signals, **more)]).splitlines()


def test_alarms_come_first_and_what_has_not_changed_is_counted() -> None:
    signals = [
        Signal(kind="missing", subject="age", state="ok"),
        Signal(kind="input drift", subject="shop", state="slight", effect=0.05, unit="PSI", p=0.0001),
        Signal(kind="input drift", subject="[sex]", state="alarm", effect=0.5, unit="PSI", p=1e-9, detail="more 'm'"),
        Signal(kind="volume", state="too few", detail="compared after 5 windows"),
    ]
    lines = screen(monitored(state="drifted", drifted=["[sex]"], why=["1 of 2 columns has drifted: [sex]"]), *signals)
    assert lines[:3] == [
        "m:2: drifted",
        "  day           500 predictions, 2026-01-01 00:00 UTC to 2026-01-02 00:00 UTC",
        "  why           1 of 2 columns has drifted: [sex]",
    ]
    table = [line.split() for line in lines[5:8]]
    assert [(row[0], row[1]) for row in table] == [("input", "drift"), ("input", "drift"), ("volume", "too")]
    assert table[0][2:6] == ["[sex]", "alarm", "0.500", "PSI"]
    assert lines[-1] == "    1 signal without a change beyond chance"


def test_performance_is_shown_as_measured_and_as_estimated() -> None:
    said = Estimate(metric="accuracy", value=0.9, low=0.88, high=0.92, method="confidence-based")
    result = monitored(
        metric="accuracy", estimated=0.9, estimate=said, realized=0.81, realized_interval=(0.8, 0.83), labelled=90
    )
    line = next(line for line in screen(result) if "accuracy" in line)
    assert "0.810 (0.800 to 0.830) measured on 90 of 500 predictions; 0.900 (0.880 to 0.920) estimated" in line


@pytest.mark.parametrize("state", ["no data", "not live", "ok"])
def test_there_is_no_table_without_signals(state: str) -> None:
    assert len(monitored_text(Watched(model="m", windows=[monitored(state=state)]), [None]).splitlines()) == 2


def test_a_degradation_that_was_announced_before_is_not_announced_again() -> None:
    def said(**fields: Any) -> str:
        return "\n".join(screen(monitored(state="degraded", degraded=True, **fields)))

    assert "ModelDegraded is sent to the bus" in said(announced_at=AT)
    again = said(announced_at=AT, announced_before=True)
    assert "none: ModelDegraded was sent at 2026-01-01 00:00 UTC" in again
    assert "ModelDegraded was sent earlier that day" in said(announced_before=True)


def test_what_was_left_out_and_what_serving_took_are_told() -> None:
    took = VersionResources(
        version=2, requests=40, errors=1, refused=3, cold_starts=2, p50_ms=3.25, p99_ms=1200, memory_mb=112
    )
    lines = screen(monitored(), notes=["1 object of captures could not be read"], resources=[took])
    assert "  note          1 object of captures could not be read" in lines
    assert lines[-1].split()[:8] == ["2", "40", "1", "3", "2", "3.2", "ms", "1.2"]


def test_earlier_looks_are_one_line_each_the_newest_first() -> None:
    looks = [monitored(state="ok", realized=0.9, labelled=5, metric="accuracy"), monitored(version=1, why=["a", "b"])]
    lines = windows_text("m", AT, looks).splitlines()
    assert lines[0] == "m: the last look of each day; accuracy"
    assert lines[3].split()[3:] == ["2", "500", "ok", "0.900", "5"]
    assert lines[4].endswith("a; b")
    assert "was not looked at since 2026-01-01 00:00 UTC" in windows_text("m", AT, [])
