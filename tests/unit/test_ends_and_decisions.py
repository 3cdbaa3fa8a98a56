"""The end of a run, moves of traffic, and decisions of people."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from modelcycle.claim import arrival_of
from modelcycle.conclude import read_request
from modelcycle.deploy import deploy, withdraw
from modelcycle.faults import BadMessage, BadRequest, NotAllowed, TargetMissing, Unknown
from modelcycle.govern import Ports, decide
from modelcycle.govern.decision_request import parse_decision
from modelcycle.messages import Decision, DeployRequest, RolloutEnded, Run, Trigger
from modelcycle.policy import deployed_shelf
from modelcycle.reasons import reason_text
from modelcycle.registry import Registry, Version, Write
from tests.fakes import MemoryStore, MemoryTable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CANARY = "name: m\ntarget: t\nrollout: {steps: [10, 50, 100], wait_minutes: 3}\n"


class Flows:
    """State machines that remember what was started."""

    def __init__(self) -> None:
        self.started: dict[str, dict[str, Any]] = {}
        self.ended = False

    def is_running(self, execution: str) -> bool:
        return not self.ended and execution.rpartition(":")[2] in self.started

    def start(self, flow: str, name: str, message: dict[str, Any]) -> bool:
        if name in self.started:
            return False
        self.started[name] = message
        return True


class Pipelines:
    """A data bucket with the pipeline file only."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def latest(self, key: str) -> tuple[bytes, str | None]:
        if self.text is None:
            raise Unknown("there is no object", key)
        return self.text.encode(), None


def places(registry: Registry, store: MemoryStore) -> dict[str, Any]:
    return {"registry": registry, "artifacts": store, "policies": deployed_shelf()}


def ports(registry: Registry, flows: Flows, rollout: str = "", store: MemoryStore | None = None) -> Ports:
    return Ports(registry, flows, rollout, store or MemoryStore(), deployed_shelf())


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def registry(store: MemoryStore) -> Registry:
    return Registry(MemoryTable())


def staged(registry: Registry, store: MemoryStore, content: str, state: str = "staged") -> int:
    pipeline = store.put(f"pipeline-{content}", CANARY.encode())
    names = ("onnx", "skops", "signature", "plan", "profile", "lineage", "card", "validation", "pipeline")
    draft = Version(
        model="m", version=0, run_id="r", created_at=datetime(2026, 1, 1, tzinfo=UTC), task="binary", metric="accuracy",
        metrics={}, interval=(0, 1), data="d", code="c", opset=21, **dict.fromkeys(names, pipeline),
    )  # fmt: skip
    number = registry.versions.register(draft, content)[0].version
    registry.standings.move("m", number, "staged", "test")
    if state != "staged":
        registry.standings.move("m", number, state, "test")
    return number


def roll_out(registry: Registry, store: MemoryStore, version: int, steps: int = 9) -> list[int]:
    """Roll a version out as the state machine does; return its weight after each step."""
    weights, step = [], 0
    for _ in range(steps):
        moved = deploy(
            DeployRequest(model="m", version=version, step=step),
            registry=registry,
            artifacts=store,
            policies=deployed_shelf(),
        )
        weights.append(moved.weight)
        if moved.done:
            break
        step = moved.step
    return weights


def test_a_first_version_has_nothing_to_share_with(registry: Registry, store: MemoryStore) -> None:
    assert roll_out(registry, store, staged(registry, store, "a")) == [100]


def test_a_canary_rises_by_the_steps_of_its_pipeline_file(registry: Registry, store: MemoryStore) -> None:
    roll_out(registry, store, staged(registry, store, "a"))
    assert roll_out(registry, store, staged(registry, store, "b")) == [10, 50, 100]
    assert registry.routes.get("m").weights == {2: 100}


def test_a_rollback_in_the_middle_ends_the_rollout(registry: Registry, store: MemoryStore) -> None:
    roll_out(registry, store, staged(registry, store, "a"))
    second = staged(registry, store, "b")
    first_step = deploy(
        DeployRequest(model="m", version=second), registry=registry, artifacts=store, policies=deployed_shelf()
    )
    registry.routes.roll_back("m", "ann")
    after = deploy(
        DeployRequest(model="m", version=second, step=first_step.step),
        registry=registry,
        artifacts=store,
        policies=deployed_shelf(),
    )
    assert after.done
    assert registry.routes.get("m").weights == {1: 100}


def test_an_incomplete_rollout_is_undone_and_a_complete_one_is_not(registry: Registry, store: MemoryStore) -> None:
    roll_out(registry, store, staged(registry, store, "a"))
    second = staged(registry, store, "b")
    roll_out(registry, store, second, steps=1)
    assert withdraw(RolloutEnded(model="m", version=second), registry=registry).put_back
    assert registry.routes.get("m").weights == {1: 100}
    assert not withdraw(RolloutEnded(model="m", version=second), registry=registry).put_back
    assert not withdraw(RolloutEnded(model="m", version=1), registry=registry).put_back


def test_a_version_that_waits_may_not_go_live_without_approval(registry: Registry, store: MemoryStore) -> None:
    version = staged(registry, store, "a", "awaiting_approval")
    with pytest.raises(NotAllowed, match="awaiting approval and may not go live"):
        deploy(DeployRequest(model="m", version=version), **places(registry, store))


def test_an_approval_starts_the_rollout_once_and_is_recorded(registry: Registry, store: MemoryStore) -> None:
    version, flows = staged(registry, store, "a", "awaiting_approval"), Flows()
    decision = Decision(model="m", decision="approve", version=version, by="arn:ann", why="looks right")
    for _ in range(2):
        decide(decision, ports(registry, flows, "arn", store))
    assert list(flows.started) == ["m-v1-0"]
    assert flows.started["m-v1-0"]["actor"] == "arn:ann"
    assert registry.audit.all("m")[0].by == "arn:ann"
    assert roll_out(registry, store, version)[-1] == 100


def test_a_repeated_decision_restarts_a_rollout_that_ended_without_moving_traffic(
    registry: Registry, store: MemoryStore
) -> None:
    version, flows = staged(registry, store, "a"), Flows()
    decision = Decision(model="m", decision="promote", version=version, by="arn:ann")
    for over in (False, True):
        flows.ended = over
        decide(decision, ports(registry, flows, "arn:stateMachine:rollout", store))
    assert list(flows.started) == ["m-v1-0", "m-v1-0-2"]


def test_a_version_that_was_retired_and_is_made_again_can_be_approved_again(
    registry: Registry, store: MemoryStore
) -> None:
    first = staged(registry, store, "a")
    roll_out(registry, store, first)
    roll_out(registry, store, staged(registry, store, "b"))
    assert registry.standings.get("m", first).state == "retired"
    registry.standings.move("m", first, "awaiting_approval", "run r2")
    flows = Flows()
    decision = Decision(model="m", decision="approve", version=first, by="arn:ann")
    decide(decision, ports(registry, flows, "arn", store))
    assert len(flows.started) == 1


def test_a_rejection_is_final(registry: Registry, store: MemoryStore) -> None:
    version, flows = staged(registry, store, "a", "awaiting_approval"), Flows()
    decide(Decision(model="m", decision="reject", version=version, by="ann"), ports(registry, flows, store=store))
    for name in ("approve", "reject"):
        decision = Decision(model="m", decision=name, version=version, by="bob")
        if name == "approve":
            with pytest.raises(NotAllowed, match="rejected"):
                decide(decision, ports(registry, flows, store=store))
        else:
            decide(decision, ports(registry, flows, store=store))
    assert not flows.started


def test_a_decision_about_an_unknown_version_changes_nothing(registry: Registry) -> None:
    with pytest.raises(Unknown, match="no version 7"):
        decision = Decision(model="m", decision="promote", version=7, by="ann")
        decide(decision, ports(registry, Flows(), ""))
    assert registry.audit.all("m") == []


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (None, ""),
        (["not better", "too slow"], "not better; too slow"),
        (
            {"Error": "TargetMissing", "Cause": json.dumps({"errorMessage": str(TargetMissing("a", "b", "c"))})},
            "a\nb\nc",
        ),
        (
            {"Error": "KeyError", "Cause": json.dumps({"errorMessage": "'x'", "errorType": "KeyError"})},
            "KeyError: 'x'\n\nthe function's log has the details",
        ),
        ({"Error": "States.Timeout", "Cause": ""}, None),
        ({"Error": "Runtime.ExitError", "Cause": "not JSON"}, None),
    ],
)
def test_a_reason_is_written_as_a_fault(reason: Any, text: str | None) -> None:
    if text is None:
        what, where, remedy = reason_text(reason).split("\n")
        assert what.startswith("the ")
        assert where == reason["Error"]
        assert remedy
    else:
        assert reason_text(reason) == text


def test_an_execution_that_no_catch_handled_ends_its_run(registry: Registry, store: MemoryStore) -> None:
    run = Run(
        model="m", run_id="r", execution="arn:1", started_at=datetime(2026, 1, 1, tzinfo=UTC),
        trigger=Trigger(kind="upload"), pipeline=store.put("p", b""),
    )  # fmt: skip
    registry.leases.claim(run, None, None, lambda execution: False)
    event = {
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"executionArn": "arn:1", "status": "ABORTED"},
    }
    request = read_request(event, runs=registry.runs)
    assert (request.outcome, request.run) == ("failed", run)
    event["detail"] = {"executionArn": "arn:of a duplicate", "status": "ABORTED"}
    assert read_request(event, runs=registry.runs).run is None
    with pytest.raises(BadMessage):
        read_request({"detail-type": "x"}, runs=registry.runs)


@pytest.mark.parametrize("key", ["pipelines/m.yaml", "raw/m", "raw//a.csv", "raw/m/", "other/m/a.csv"])
def test_only_an_object_under_raw_is_an_upload(key: str) -> None:
    detail = {"bucket": {"name": "b"}, "object": {"key": key, "etag": "e", "sequencer": "1"}}
    with pytest.raises(BadMessage):
        arrival_of({"detail-type": "Object Created", "detail": detail})


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        (None, []), ("x", []), ("[" * 100_000, []), ("[]", [""]), ("{}", ["/decision"]),
        ('{"decision": "nuke", "version": 1}', ["/decision"]),
        ('{"decision": "approve"}', ["/version"]),
        ('{"decision": "approve", "version": "1"}', ["/version"]),
        ('{"decision": "approve", "version": true}', ["/version"]),
        ('{"decision": "approve", "version": 1.5, "why": 5}', ["/version", "/why"]),
        ('{"decision": "rollback", "by": "somebody else", "a/b": 1}', ["/by", "/a~1b"]),
        ('{"decision": "rollback", "asked_at": 1}', ["/asked_at"]),
        ('{"decision": "rollback", "asked_at": "2026-01-01T00:00:00"}', ["/asked_at"]),
    ],
)  # fmt: skip
def test_a_bad_decision_request_names_each_wrong_field(body: str | None, pointers: list[str]) -> None:
    with pytest.raises(BadRequest) as raised:
        parse_decision(body, "m", "ann", NOW)
    assert [error["pointer"] for error in raised.value.errors] == pointers
    assert "approve" in raised.value.remedy


def test_a_decision_is_by_the_person_who_signed_the_request() -> None:
    decision = parse_decision('{"decision": "rollback", "version": null, "why": "slow"}', "m", "ann", NOW)
    assert (decision.model, decision.by, decision.version, decision.why) == ("m", "ann", None, "slow")


def test_a_rollback_needs_a_live_version() -> None:
    registry = Registry(MemoryTable())
    rollback = Decision(model="m", decision="rollback", by="ann")
    with pytest.raises(Unknown, match="there is no model m"):
        decide(rollback, ports(registry, Flows(), ""))
    registry.table.write(Write("MODELS", "m", {"model": "m"}))
    with pytest.raises(Unknown, match="m has no live version: there is no traffic to take away") as raised:
        decide(rollback, ports(registry, Flows(), ""))
    assert "`modelcycle show m`" in raised.value.remedy
