"""The governor: each request for a run is decided once, and the decision is written down with its reason."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelcycle.claim.trigger import arrival_of
from modelcycle.faults import BadMessage
from modelcycle.messages import Broken, Outcome, Retrained, RetrainRequest, Run, Trigger
from modelcycle.registry import Registry, Write
from modelcycle.retrain import retrain
from tests.fakes import MemoryStore, MemoryTable
from tests.unit.test_ends_and_decisions import Flows, Pipelines, staged

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LIFECYCLE = "arn:aws:states:us-east-1:1:stateMachine:mc-lifecycle"


class Model:
    """A model, what asks for its runs, and how they end."""

    def __init__(self, retraining: str = "") -> None:
        self.registry, self.flows, self.store = Registry(MemoryTable()), Flows(), MemoryStore()
        self.set(retraining)
        self.asked = 0

    def set(self, retraining: str) -> None:
        self.pipelines = Pipelines(f"name: m\ntarget: t\nretraining: {{{retraining}}}\n")

    def ask(
        self, hours: float = 0, kind: str = "ModelDegraded", event_id: str | None = None, **detail: Any
    ) -> Retrained:
        self.asked += 1
        event = {"detail-type": kind, "id": event_id or f"e-{self.asked}", "detail": {"model": "m"} | detail}
        return retrain(
            RetrainRequest.from_event(event), lifecycle=LIFECYCLE, data=self.pipelines, registry=self.registry,
            flows=self.flows, now=NOW + hours * HOUR,
        )  # fmt: skip

    def end(self, answer: Retrained, outcome: Outcome, version: int | None = None) -> None:
        """Let the run of an answer begin and end."""
        name = answer.execution.rpartition(":")[2]
        run = Run(
            model="m", run_id=f"r-{name}", execution=answer.execution, started_at=NOW,
            trigger=arrival_of(self.flows.started[name]).trigger, pipeline=self.store.put("p", b""),
        )  # fmt: skip
        assert self.registry.leases.claim(run, None, None, lambda execution: False).outcome == "claimed"
        self.registry.leases.conclude(run, outcome, "", version)


@pytest.fixture
def model() -> Model:
    return Model()


def test_a_degraded_model_is_retrained_and_the_decision_is_on_record(model: Model) -> None:
    answer = model.ask(reason="4 of 11 columns have drifted")
    assert (answer.done, answer.why) == ("started", "the model is degraded: 4 of 11 columns have drifted")
    assert arrival_of(model.flows.started["retrain-e-1"]).trigger == Trigger(
        kind="degraded", detail="4 of 11 columns have drifted"
    )
    (decision,) = model.registry.retrainings.latest("m")
    assert (decision.why, decision.execution) == (answer.why, answer.execution)
    assert answer.execution == "arn:aws:states:us-east-1:1:execution:mc-lifecycle:retrain-e-1"


def test_a_request_that_comes_twice_gets_the_same_answer_and_one_run(model: Model) -> None:
    first = model.ask(event_id="e")
    model.end(first, "unchanged")
    assert [model.ask(hours, event_id="e") for hours in (0, 1, 100)] == [first] * 3
    assert list(model.flows.started) == ["retrain-e"]
    refused = model.ask(1, event_id="f")
    assert refused.done == "refused"
    assert model.ask(900, event_id="f") == refused


def test_a_storm_of_a_hundred_requests_is_one_run() -> None:
    model = Model("cooldown_hours: 0")
    lock = threading.Lock()

    def ask(number: int) -> str:
        with lock:
            event_id = f"e-{number}"
        return model.ask(number / 6000, event_id=event_id).done

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(100)))
    assert sorted(set(answers)) == ["folded", "started"]
    assert answers.count("started") == len(model.flows.started) == 1
    assert len(model.registry.retrainings.latest("m")) == 100


def test_a_function_killed_between_decision_and_start_starts_the_run_when_it_comes_again(model: Model) -> None:
    start = model.flows.start

    def killed(*arguments: Any) -> bool:
        raise SystemExit

    model.flows.start = killed  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        model.ask(event_id="e")
    model.flows.start = start  # type: ignore[method-assign]
    assert model.ask(0.01, event_id="other").done == "folded"
    assert model.ask(0.02, event_id="e").done == "started"
    assert list(model.flows.started) == ["retrain-e"]


def test_another_decision_at_the_same_moment_is_seen(model: Model) -> None:
    table = model.registry.table
    assert isinstance(table, MemoryTable)
    write, once = table.write, iter([True])

    def raced(*writes: Write) -> None:
        if next(once, False):
            assert model.ask(event_id="faster").done == "started"
        write(*writes)

    table.write = raced  # type: ignore[method-assign]
    assert model.ask(event_id="slower").done == "folded"


@pytest.mark.parametrize(("hours", "cooldown", "done"), [
    (23.9, "24", "refused"), (24, "24", "started"), (24 * 400, "1e300", "refused"), (0.1, "0", "started"),
])  # fmt: skip
def test_a_cooldown_ends_when_the_pipeline_file_says(hours: float, cooldown: str, done: str) -> None:
    model = Model(f"cooldown_hours: {cooldown}")
    model.end(model.ask(), "unchanged")
    answer = model.ask(hours)
    assert answer.done == done
    assert done == "started" or "cooling down until" in answer.why


def test_a_week_has_a_budget_which_runs_that_were_asked_for_do_not_use() -> None:
    model = Model("cooldown_hours: 0, per_week: 2, every: 1 day")
    told = []
    for day in range(9):
        for hour, kind in ((0, "RetrainingScheduled"), (1, "RetrainingRequested"), (2, "ModelDegraded")):
            answer = model.ask(24 * day + hour, kind)
            told.append(answer.done)
            if answer.done == "started":
                model.end(answer, "unchanged")
    assert told[2::3] == ["started", "started", *["refused"] * 5, "started", "started"]
    assert set(told[0::3] + told[1::3]) == {"started"}


def test_a_wrong_clock_does_not_hold_a_model_for_years(model: Model) -> None:
    model.end(model.ask(24 * 3650), "unchanged")
    assert model.ask(1).done == "started"


def test_it_pauses_after_refused_challengers_tells_it_once_and_a_person_resumes(model: Model) -> None:
    model.set("cooldown_hours: 0, per_week: 100, pause_after: 2")
    for hour, outcome in enumerate(("refused", "unchanged", "failed", "refused")):
        model.end(model.ask(hour), outcome)
    for hour in (5, 6):
        answer = model.ask(hour)
        assert answer.done == "refused"
        assert "`modelcycle retrain m --resume`" in answer.why
    table = model.registry.table
    assert isinstance(table, MemoryTable)
    paused = [
        write.body for write in table.written if write.kind == "event" and write.body["kind"] == "RetrainingPaused"
    ]
    assert len(paused) == 1
    assert model.ask(7, "RetrainingResumed", by="ann").done == "resumed"
    assert model.ask(8).done == "started"


def test_a_challenger_that_lost_in_its_rollout_is_a_refused_one(model: Model) -> None:
    model.set("cooldown_hours: 0, pause_after: 1")
    version = staged(model.registry, model.store, "a", "rolled_back")
    model.end(model.ask(), "deployed", version)
    assert "paused" in model.ask(1).why


def test_a_challenger_that_went_live_ends_the_row(model: Model) -> None:
    model.set("cooldown_hours: 0, pause_after: 1")
    model.end(model.ask(), "refused")
    model.ask(1, "RetrainingResumed")
    version = staged(model.registry, model.store, "a", "live")
    model.end(model.ask(2), "deployed", version)
    assert model.ask(3).done == "started"


def test_a_pause_ends_when_another_version_is_live(model: Model) -> None:
    model.set("cooldown_hours: 0, pause_after: 2")
    staged(model.registry, model.store, "a", "live")
    model.registry.table.write(Write("ROUTE#m", "ROUTE", {"weights": {1: 100}, "moves": 1}))
    for hour in (0, 1):
        model.end(model.ask(hour), "refused")
    assert "paused" in model.ask(2).why
    made = datetime(2026, 3, 2, 15, tzinfo=UTC)  # by an upload, hour 3
    version = model.registry.versions.get("m", 1).model_copy(update={"run_id": "r2", "created_at": made})
    number = model.registry.versions.register(version, "b")[0].version
    assert "paused" in model.ask(4).why  # it is not live yet
    model.registry.table.write(Write("ROUTE#m", "ROUTE", {"weights": {number: 100}, "moves": 2}, 1))
    assert model.ask(5).done == "started"


@pytest.mark.parametrize("resumed", [False, True])
def test_a_clock_that_was_ahead_makes_no_pause_for_good(model: Model, resumed: bool) -> None:
    model.set("cooldown_hours: 0, pause_after: 2")
    for hour in (48, 49):
        model.end(model.ask(hour), "refused")
    assert "paused" in model.ask(50).why
    if resumed:
        model.ask(0, "RetrainingResumed")
        assert model.ask(51).done == "started"  # the time that the clock showed has come
    else:
        assert model.ask(1).done == "started"


def test_a_wrong_pipeline_file_is_why_nothing_starts_but_arrivals_do(model: Model) -> None:
    model.pipelines = Pipelines("name: m\n")
    answer = model.ask()
    assert answer.done == "refused" and answer.why.startswith("the pipeline file is wrong")
    assert "target" in answer.why and "\n" not in answer.why
    assert model.ask(kind="ArrivalsFolded", run_id="r").done == "started"


def test_one_run_at_a_time_whoever_started_it(model: Model) -> None:
    run = Run(
        model="m", run_id="r", execution="arn:other", started_at=NOW, trigger=Trigger(kind="upload"),
        pipeline=model.store.put("p", b""),
    )  # fmt: skip
    model.registry.leases.claim(run, None, None, lambda execution: False)
    model.flows.started["other"] = {}
    for kind in ("ModelDegraded", "RetrainingRequested"):
        assert (model.ask(kind=kind).done, model.ask(kind=kind).why.partition(";")[0]) == (
            "folded", "run r is in progress",
        )  # fmt: skip
    model.flows.ended = True  # its execution died without a word
    assert model.ask().done == "started"


def test_nothing_is_started_while_a_version_is_rolled_out_or_waits_for_a_person(model: Model) -> None:
    for content in "ab":
        staged(model.registry, model.store, content)
    route = {"weights": {1: 90, 2: 10}, "moves": 2}
    model.registry.table.write(Write("ROUTE#m", "ROUTE", route))
    assert model.ask().why.startswith("version 2 is being rolled out")
    waiting = Model()
    staged(waiting.registry, waiting.store, "a", "awaiting_approval")
    assert "modelcycle approve m:1" in waiting.ask().why
    assert waiting.ask(kind="RetrainingRequested", by="ann").done == "started"


@pytest.mark.parametrize("kind", ["ModelDegraded", "RetrainingScheduled", "LabelledRowsArrived", "RetrainingRequested"])
def test_wrong_values_never_retrain_and_are_named(kind: str) -> None:
    model = Model("every: 1 day, new_rows: 10")
    wrong = [Broken(column=name, cause="other units", detail="") for name in ("age", 'a "b"')]
    window = NOW - HOUR, NOW
    model.registry.incidents.update("m", 1, "hour", window, [], wrong, (1,))
    answer = model.ask(kind=kind)
    assert (answer.done, model.flows.started) == ("refused", {})
    assert 'live values are wrong (age, a "b"), incident 1' in answer.why


@pytest.mark.parametrize(("kind", "file", "key"), [
    ("ModelDegraded", "on_degraded: false", "on_degraded"), ("TrainingCodeChanged", "", "on_code"),
    ("LabelledRowsArrived", "", "new_rows"), ("RetrainingScheduled", "", "every"),
])  # fmt: skip
def test_what_the_pipeline_file_switches_off_starts_nothing(kind: str, file: str, key: str) -> None:
    model = Model(file)
    assert f"retraining.{key}" in model.ask(kind=kind).why
    assert not model.flows.started


def test_a_model_without_a_pipeline_file_is_not_trained(model: Model) -> None:
    model.pipelines = Pipelines(None)
    assert model.ask().why == "m has no pipeline file"


def test_arrivals_that_a_run_did_not_read_are_never_held_back(model: Model) -> None:
    model.end(model.ask(), "refused")
    assert model.ask(0.1, "ArrivalsFolded", run_id="r").done == "started"
    assert arrival_of(model.flows.started["retrain-e-2"]).trigger == Trigger(kind="arrivals", detail="r")
    assert model.ask(24).done == "started"  # it used no budget and began no cooldown


def test_a_person_is_named_with_the_reason_and_waits_for_no_cooldown(model: Model) -> None:
    model.end(model.ask(), "refused")
    answer = model.ask(0.1, "RetrainingRequested", by="ann", reason="new\nprices " + "x" * 9000)
    assert answer.done == "started"
    trigger = arrival_of(model.flows.started["retrain-e-2"]).trigger
    assert trigger.detail.startswith("ann: new prices xxx")
    assert len(trigger.detail) < 600
    assert model.registry.retrainings.latest("m", 1)[0].by == "ann"


def test_schedules_of_two_models_have_names_of_their_own() -> None:
    ids = set()
    for name in ("m", "m-2", "a" * 48):
        event = {
            "detail-type": "RetrainingScheduled",
            "id": "0",
            "detail": {"model": name, "id": f"2026-03-01T12:00:00Z-{name}"},
        }
        ids.add(RetrainRequest.from_event(event).event_id)
    assert len(ids) == 3
    assert max(map(len, ids)) + len("retrain-") <= 80


def test_a_schedule_whose_time_was_not_filled_in_is_told_by_its_minute(model: Model) -> None:
    model.set("every: 1 hour")
    first = model.ask(0, "RetrainingScheduled", id="<aws.scheduler.scheduled-time>-m")
    assert "<" not in first.execution
    assert first.execution.endswith("-m")


def test_a_run_is_wanted_once_for_each_occasion(model: Model) -> None:
    want = model.registry.retrainings.want
    assert [want("m", "TrainingCodeChanged", occasion, reason="new code") for occasion in ("3#a", "3#a", "3#b")] == [
        True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("event", [
    {}, {"detail-type": "VersionPromoted", "id": "e", "detail": {"model": "m"}}, {"detail-type": "ModelDegraded"},
    {"detail-type": "ModelDegraded", "id": "e", "detail": {"model": "../x"}}, None,
    {"detail-type": [], "id": "e", "detail": {"model": "m"}},
])  # fmt: skip
def test_what_asks_for_no_run_is_refused(event: Any) -> None:
    with pytest.raises(BadMessage, match="does not ask for a run"):
        RetrainRequest.from_event(event)
