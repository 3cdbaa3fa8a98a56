"""A look, from captures to its verdict: what it announces, keeps and opens, once each."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from modelcycle.logs import LogPart
from modelcycle.messages import Monitored, MonitoringReport, MonitorRequest, Watched
from modelcycle.model.npz import from_npz, to_npz
from modelcycle.model.scoring import Scores
from modelcycle.monitor import monitor
from modelcycle.monitor.earlier import with_outcomes
from modelcycle.monitor.look import Subject
from modelcycle.registry import Version, Write
from tests.unit.data_steps import AT
from tests.unit.data_steps import Workspace as Place
from tests.unit.live_rows import classes
from tests.unit.test_summarize import Live, captured, go_live, trained

__all__ = ["trained"]


class Metrics:
    """Metrics of models, in memory."""

    def __init__(self) -> None:
        self.values: dict[str, float | None] = {}

    def put(self, model: str, values: Mapping[str, float | None], at: datetime) -> bool:
        self.values = dict(values)
        return True

    def throttles(self, start: datetime, end: datetime) -> int:
        return 0


class EmptyLog:
    """The log of a function that was never called."""

    def read(self, start: datetime, end: datetime, pages: int) -> LogPart:
        return LogPart([], end)


def usual(row: int) -> dict[str, Any]:
    """Return a captured answer whose columns depend on each other as in the reference."""
    return captured(row, b=random.Random(f"b{row}").random() < 0.5)


def drifted(row: int) -> dict[str, Any]:
    """Return a captured answer in which four columns have drifted, all within their ranges."""
    chance = random.Random(f"d{row}")
    x = min(max(chance.gauss(1, 0.5), -2), 2)
    return captured(row, x=x, Age=20 + row % 9, price=row % 2 + 0.5, b=chance.random() < 0.1)


def look(live: Live, at: datetime = AT, metrics: Metrics | None = None) -> Watched:
    request = MonitorRequest(model="m", summarize=live.look(at))
    place = live.place
    return monitor(
        request,
        data=place.data,
        artifacts=place.artifacts,
        registry=place.registry,
        logs=EmptyLog(),
        metrics=metrics or Metrics(),
    )


def report(live: Live, result: Monitored) -> MonitoringReport:
    assert result.report
    return MonitoringReport.model_validate(json.loads(live.place.artifacts.read(result.report)))


def events(live: Live) -> list[str]:
    return [record.body["kind"] for record in live.place.registry.table.query("EVENT#m", "EVENT#")]


@pytest.fixture
def live(trained: tuple[Place, Version]) -> Live:
    return go_live(trained)


def test_a_model_without_a_route_is_not_live() -> None:
    place = Live(Place())
    (result,) = look(place).windows
    assert (result.state, result.version, result.report) == ("not live", None, None)
    assert place.place.registry.monitoring.latest("m") == result


def test_too_few_predictions_give_the_state_no_data(live: Live) -> None:
    live.capture(*(captured(row) for row in range(199)))
    result = look(live).windows[0]
    assert (result.state, result.rows, result.degraded, result.estimated) == ("no data", 199, False, None)
    assert result.why == ["199 predictions; a result needs 200 (monitoring.minimum_rows)"]


def test_traffic_like_the_reference_is_ok_in_both_windows(live: Live) -> None:
    live.capture(*(usual(row) for row in range(800)))
    metrics = Metrics()
    day, hour = look(live, metrics=metrics).windows
    assert [(one.kind, one.state, one.rows, one.drifted) for one in (day, hour)] == [
        ("day", "ok", 800, []), ("hour", "ok", 800, []),
    ]  # fmt: skip
    assert [signal for signal in report(live, day).signals if signal.state == "alarm"] == []
    assert metrics.values["Rows"] == 800 and metrics.values["OpenIncidents"] == 0
    assert events(live) == [kind for kind in events(live) if not kind.startswith("Incident")]


def test_one_column_that_drifts_is_named_and_opens_one_incident(live: Live) -> None:
    live.capture(*(captured(row, Age=20 + row % 12) for row in range(400)))
    look(live, AT - timedelta(minutes=1))
    look(live, AT + timedelta(minutes=40))
    assert "IncidentOpened" not in events(live), "these are the same rows again"
    live.capture(*(captured(row, minutes=-50, Age=20 + row % 12) for row in range(400, 800)), key="b")
    windows = look(live, AT + timedelta(minutes=59)).windows
    result = windows[0]
    assert (result.state, result.drifted) == ("drifted", ["Age"])
    assert "1 of 9 columns has drifted: Age" in result.why
    assert events(live).count("IncidentOpened") == 1 and "ModelDegraded" not in events(live)
    assert any("Age" in sentence for window in windows for sentence in window.incidents)


def test_a_degraded_version_is_announced_once_a_day(live: Live) -> None:
    live.capture(*(drifted(row) for row in range(400)))
    first, again = look(live).windows[0], look(live).windows[0]
    assert (first.state, first.degraded, len(first.drifted) >= 3) == ("degraded", True, True)
    later, next_day = look(live, AT + timedelta(minutes=10)).windows[0], look(live, AT + timedelta(hours=21)).windows[0]
    assert events(live).count("ModelDegraded") == 2
    told = [result.announced_before for result in (first, again, later, next_day)]
    assert told == [False, True, True, False]
    assert first.announced_at and first.announced_at == again.announced_at != next_day.announced_at
    assert live.place.registry.monitoring.latest("m") == next_day
    assert events(live).count("IncidentOpened") <= 2


def test_an_announcement_of_an_earlier_release_counts(live: Live) -> None:
    live.capture(*(drifted(row) for row in range(400)))
    live.place.registry.table.write(Write("MONITOR#m", f"DEGRADED#00000001#{AT:%Y-%m-%d}", {"version": 1}))
    result = look(live).windows[0]
    assert (result.degraded, result.announced_at, result.announced_before) == (True, None, True)


def test_a_column_in_other_units_is_broken_data_and_announces_nothing(live: Live) -> None:
    live.capture(*(captured(row, Age=(20 + row % 50) * 365.25) for row in range(800)))
    result = look(live).windows[0]
    assert (result.state, result.degraded) == ("broken", False)
    assert [(one.column, one.cause) for one in result.broken] == [("Age", "other units")]
    assert "ModelDegraded" not in events(live)


def test_a_look_that_comes_twice_writes_one_report_and_one_incident(live: Live) -> None:
    live.capture(*(captured(row, Age=20 + row % 12) for row in range(400)))
    first, objects = look(live), len(live.place.artifacts.objects)
    told = events(live)
    assert look(live) == first
    assert (len(live.place.artifacts.objects), events(live)) == (objects, told)


def test_the_latest_result_is_kept_for_the_list_of_models(live: Live) -> None:
    look(live)
    look(live, AT - timedelta(hours=1))
    latest = live.place.registry.monitoring.latest("m")
    assert latest is not None and latest.window[1] == AT
    looks = live.place.registry.monitoring.between("m", "day", AT - timedelta(days=1), AT)
    assert [one.window[1] for one in looks] == [AT - timedelta(hours=1), AT]


def test_outcomes_that_come_later_are_measured_in_the_window_of_their_predictions(live: Live) -> None:
    live.capture(*(captured(row) for row in range(600)))
    assert look(live).windows[0].realized is None
    outcomes = (
        {"prediction_id": f"1-{row}", "outcome": captured(row)["prediction"] if row % 4 else "p"} for row in range(600)
    )
    live.place.data.upload("feedback/m/a.jsonl", "\n".join(map(json.dumps, outcomes)).encode())
    now = look(live, AT + timedelta(minutes=30)).windows[0]
    assert now.labelled == 600 and now.realized is not None and now.realized_interval
    (before, _) = live.place.registry.monitoring.between("m", "day", AT - timedelta(days=1), AT + timedelta(hours=1))
    assert before.window[1] == AT and before.labelled == 600 and before.realized == pytest.approx(now.realized)


def test_late_outcomes_are_judged_in_the_day_and_are_no_figure_of_its_window(live: Live) -> None:
    live.capture(*(captured(row, minutes=30 * 60) for row in range(300)))
    live.capture(*(captured(row) for row in range(300, 600)), key="b")
    outcomes = ({"prediction_id": f"1-{row}", "outcome": captured(row)["prediction"]} for row in range(300))
    live.place.data.upload("feedback/m/a.jsonl", "\n".join(map(json.dumps, outcomes)).encode())
    day, hour = look(live).windows
    states = []
    for window in (day, hour):
        assert (window.rows, window.labelled, window.realized, window.realized_interval) == (300, 0, None, None)
        by_kind = {one.kind: one for one in report(live, window).signals if one.subject in ("log_loss", "")}
        states.append((by_kind["performance"].value is not None, by_kind["concept drift"].value is not None))
        kinds = {one.kind for one in report(live, window).signals}
        assert ("label drift" in kinds) == (window is day)
    assert states == [(True, True), (False, False)], "both windows would be the same rows"


def test_what_was_measured_of_a_window_stays_when_its_outcomes_are_no_longer_read(live: Live) -> None:
    subject = Subject.read(live.place.registry.versions.get("m", 1), live.place.artifacts)
    window = AT - timedelta(days=1), AT
    at = window[0].timestamp() + np.arange(100) * 800.0
    rows = classes(at, np.ones(100, dtype=bool))
    days = subject.pipeline.monitoring.labels_days
    seen = Monitored(model="m", version=1, window=window, rows=100, state="ok", drifted=[], degraded=False,
                     metric="accuracy")  # fmt: skip
    (measured,) = with_outcomes([seen], rows, {1: subject}, AT)
    assert (measured.labelled, measured.realized) == (100, 1.0)
    fewer = classes(at[60:], np.zeros(40, dtype=bool))
    assert with_outcomes([measured], fewer, {1: subject}, AT) == [], "only the newest rows are read"
    corrected = classes(at, np.zeros(100, dtype=bool))
    assert with_outcomes([measured], corrected, {1: subject}, window[0] + timedelta(days=days, seconds=1)) == []
    assert [one.realized for one in with_outcomes([measured], corrected, {1: subject}, AT)] == [0.0]


@pytest.mark.parametrize("recent", [True, False])
def test_a_version_made_for_new_traffic_is_held_against_what_it_does_on_its_new_test_rows(
    trained: tuple[Place, Version], recent: bool
) -> None:
    """The model is right on the newer half of its test rows and wrong on the older one."""
    place, version = trained
    assert version.reference is not None
    outcome = from_npz(place.artifacts.read(version.reference.labels))["target"].astype(int)
    is_new = np.arange(len(outcome)) >= len(outcome) // 2
    positive = np.where(is_new, outcome, 1 - outcome) * 0.6 + 0.2
    scores = Scores(np.column_stack([1 - positive, positive]).astype(np.float32))
    positions = place.artifacts.put(
        "m/new.npz", to_npz(positions=np.arange(len(outcome), dtype=np.int64), recent=is_new)
    )  # fmt: skip
    reference = version.reference.model_copy(
        update={"scores": place.artifacts.put("m/half.npz", scores.to_bytes()), "recent": positions if recent else None}
    )  # fmt: skip
    made = version.model_copy(
        update={"reference": reference, "metric": "accuracy", "metrics": {"accuracy": 0.5}, "interval": (0.45, 0.55)}
    )  # fmt: skip
    expected = Subject.read(made, place.artifacts).expected
    if not recent:
        assert expected == ({"accuracy": 0.5}, (0.45, 0.55), "")
        return
    assert expected.metrics["accuracy"] == 1.0 and expected.interval[0] > 0.95
    assert (
        f"accuracy is held against 1 ({expected.interval[0]:.3g} to 1), measured on the {is_new.sum():,}"
        in expected.note
    )
    broken = place.artifacts.put("m/nan.npz", Scores(np.full_like(scores.scores, np.nan)).to_bytes())
    unmeasured = made.model_copy(update={"reference": reference.model_copy(update={"scores": broken})})
    fallback = Subject.read(unmeasured, place.artifacts).expected
    assert fallback[:2] == ({"accuracy": 0.5}, (0.45, 0.55)) and "cannot be measured" in fallback.note


def test_a_look_holds_each_version_against_its_new_test_rows_and_measures_each_with_its_threshold(
    trained: tuple[Place, Version],
) -> None:
    place, version = trained
    assert version.reference is not None
    rows = len(from_npz(place.artifacts.read(version.reference.labels))["target"])
    recent = place.artifacts.put("m/half-new.npz", to_npz(positions=np.arange(rows), recent=np.arange(rows) % 2 == 0))
    live = go_live(trained, metric="accuracy", metrics={"accuracy": 0.9}, interval=(0.8, 0.95),
                   reference=version.reference.model_copy(update={"recent": recent}))  # fmt: skip
    registry = live.place.registry
    registry.versions.register(version, "other")
    registry.standings.move("m", 2, "staged", "test")
    registry.routes.promote("m", 2, 20, "test")
    live.capture(*(captured(row, version=number) for number in (1, 2) for row in range(250)))
    outcomes = (
        {"prediction_id": f"{number}-{row}", "outcome": captured(row)["prediction"]}
        for number in (1, 2) for row in range(250)
    )  # fmt: skip
    live.place.data.upload("feedback/m/a.jsonl", "\n".join(map(json.dumps, outcomes)).encode())
    seen = report(live, look(live).windows[0])
    expected = Subject.read(registry.versions.get("m", 1), live.place.artifacts).expected
    assert expected.metrics["accuracy"] != 0.9 and expected.note in seen.notes
    told = {one.kind: one.expected for one in seen.signals if one.subject == "accuracy"}
    assert told == dict.fromkeys(("performance", "estimated performance"), expected.metrics["accuracy"])
    assert {day.version: day.metrics["accuracy"][0] for day in seen.days} == {1: 1.0, 2: 1.0}
