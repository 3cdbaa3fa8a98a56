"""What people see of a rollout that is judged, and what they can do about one that waits for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bench.live_traffic import MODEL, ROLLOUT, Behaviour, LiveModel
from cli.screens.judgements import judgements_text, rollout_text
from modelcycle.deploy import deploy
from modelcycle.govern import Ports, decide
from modelcycle.messages import Decision, DeployRequest
from modelcycle.policy import deployed_shelf
from tests.unit.traffic_cycle import Flows

HOLDING = {
    "steps": [10, 50, 100], "wait_minutes": 1, "evidence": {"patience_hours": 0, "unproven": "hold"},
}  # fmt: skip

ROLLOUT_ARN = "arn:stateMachine:rollout"


def held(shadow: bool = False) -> LiveModel:
    """A rollout that has lost its patience after the first step."""
    model = LiveModel({1: Behaviour(), 2: Behaviour()}, HOLDING | {"shadow": shadow}, requests_per_minute=30)
    message = DeployRequest(model=MODEL, version=2, actor="run r", moves=1, rollout=ROLLOUT)
    state = deploy(message, registry=model.registry, artifacts=model.artifacts, policies=deployed_shelf()).wire()
    model._date_last_move(model.now)
    model.serve(timedelta(minutes=2))
    assert model.look(state).overdue
    return model


def screen(model: LiveModel) -> str:
    route = model.registry.routes.get(MODEL)
    move = model.registry.routes.move(MODEL, route.moves)
    judged = model.registry.judgements.of_version(MODEL, 2)
    return "\n".join(rollout_text(MODEL, route, move, judged[-1] if judged else None, model.now))


def test_the_screen_says_where_a_rollout_stands_and_what_was_found() -> None:
    text = screen(held())
    assert "rollout of m:2: 10 % of the traffic" in text and "rollout, step 1 of 3" in text
    for kind in ("errors", "latency", "predictions", "quality"):
        assert f"    {kind}" in text
    assert "it waits for you: modelcycle promote m:2, or modelcycle rollback m" in text
    assert "nobody sees its answers" in screen(held(shadow=True))


def test_a_worse_version_without_one_to_go_back_to_is_not_offered_what_would_be_refused() -> None:
    model = LiveModel({1: Behaviour(), 2: Behaviour(errors=1.0)}, {"steps": [100], "watch_minutes": 60})
    model.serve(timedelta(hours=1))
    message = DeployRequest(model=MODEL, version=2, actor="run r", moves=1, rollout=ROLLOUT)
    state = deploy(message, registry=model.registry, artifacts=model.artifacts, policies=deployed_shelf()).wire()
    model._date_last_move(model.now)
    for rejected in ("awaiting_approval", "rejected"):
        model.registry.standings.move(MODEL, 1, rejected, "ann")  # type: ignore[arg-type]
    model.serve(timedelta(minutes=10))
    assert model.look(state).overdue
    text = screen(model)
    assert "a person has to replace this one: worse than version 1" in text and "it waits for you" not in text


def test_there_is_no_screen_of_a_rollout_that_is_over() -> None:
    model = held()
    model.registry.routes.roll_back(MODEL, "ann")
    assert screen(model) == ""
    live = LiveModel({1: Behaviour(), 2: Behaviour()}, {"steps": [100]})
    assert live.roll_out() == "Finished" and screen(live) == ""
    watched = LiveModel({1: Behaviour(), 2: Behaviour()}, {"steps": [100], "watch_minutes": 1})
    assert watched.roll_out() == "Finished" and screen(watched) == ""


@pytest.mark.parametrize(("shadow", "step", "weight"), [(False, 1, 50), (True, 0, 10)])
def test_a_person_makes_the_next_step_of_a_rollout_that_waits_for_one(shadow: bool, step: int, weight: int) -> None:
    model, flows = held(shadow), Flows()
    flows.started[ROLLOUT] = {}
    decision = Decision(model=MODEL, decision="promote", version=2, by="ann", why="I know it")
    decided = decide(decision, Ports(model.registry, flows, ROLLOUT_ARN, model.artifacts, deployed_shelf()))
    assert not decided.note
    (message,) = (started for name, started in flows.started.items() if name != ROLLOUT)
    assert message["step"] == step
    request = DeployRequest.from_event(message | {"rollout": "y"})
    moved = deploy(request, registry=model.registry, artifacts=model.artifacts, policies=deployed_shelf())
    assert (moved.weight, moved.overruled) == (weight, False)


def test_a_rollout_that_is_running_needs_no_person() -> None:
    model, flows = LiveModel({1: Behaviour(), 2: Behaviour()}, HOLDING | {"shadow": True}), Flows()
    message = DeployRequest(model=MODEL, version=2, actor="run r", moves=1, rollout=ROLLOUT)
    deploy(message, registry=model.registry, artifacts=model.artifacts, policies=deployed_shelf())
    flows.started[ROLLOUT] = {}
    decision = Decision(model=MODEL, decision="promote", version=2, by="ann")
    decided = decide(decision, Ports(model.registry, flows, ROLLOUT_ARN, model.artifacts, deployed_shelf()))
    assert decided.note == "its rollout is running: it answers as a shadow, and has no traffic yet"


def test_the_judgements_of_a_version_are_listed_newest_first() -> None:
    model = LiveModel({1: Behaviour(), 2: Behaviour(errors=1.0)}, HOLDING)
    assert model.roll_out() == "RolledBack"
    text = "\n".join(judgements_text(model.registry.judgements.of_version(MODEL, 2), model.now))
    assert "roll back" in text and "100.0% of its requests failed" in text
