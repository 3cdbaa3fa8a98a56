"""Approvals: by whom, of which bytes, how many, until when; and what the policy of now lets a rollout do."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from modelcycle.expire import expire
from modelcycle.faults import NotAllowed
from modelcycle.messages import ExpireRequest
from modelcycle.policy import Shelf, parse_policy
from modelcycle.registry import Standing
from modelcycle.registry.table import Write
from tests.unit.traffic_cycle import Cycle

ANN, BOB, CAT = (f"arn:aws:iam::123456789012:user/{name}" for name in ("ann", "bob", "cat"))
ALL = "permissions: 'permit (principal, action, resource);'\n"
FIGURES = {
    "gates.passed": 1, "parity.rows": 9, "lineage.recorded": 1, "columns.sensitive_not_allowed": 0,
    "columns.leaking_not_listed": 0, "data.unreadable": 0,
}  # fmt: skip
ACCURATE = "rules: [{name: good, figure: metrics.accuracy, at_least: 0.8, remedy: add data}]\n"


def with_policy(cycle: Cycle, text: str) -> None:
    cycle.policies = Shelf({"m.yaml": parse_policy(f"name: strict\nversion: 1\nmodels: [m]\n{text}", permissions=True)})


def waiting(cycle: Cycle, author: str | None = ANN, accuracy: float = 0.9, **fields: Any) -> int:
    """Return a version that waits, with its own files."""
    card = cycle.store.put("m/runs/r/govern/card.md", b"# m")
    figures = cycle.store.put(
        f"m/{accuracy}/figures.json", json.dumps(FIGURES | {"metrics.accuracy": accuracy}).encode()
    )
    onnx = cycle.store.put("m/runs/r/select_model/model.onnx", b"graph")
    return cycle.staged("awaiting_approval", author=author, card=card, figures=figures, onnx=onnx, **fields)


def test_an_approval_records_person_reason_and_what_was_approved(cycle: Cycle) -> None:
    version = waiting(cycle)
    assert not cycle.decide("approve", version, by=BOB, why="the audit is done").note
    (entry,) = cycle.audited("approve")
    assert (entry.by, entry.why, entry.evidence["approval"], entry.evidence["needed"]) == (
        BOB,
        "the audit is done",
        1,
        1,
    )
    approved = cycle.registry.approvals.get("m", version)
    assert approved is not None and approved.given[0].evidence == entry.evidence["sha256"]
    assert cycle.state(version) == "staged" and len(cycle.flows.started) == 1


def test_nobody_approves_their_own_run_unless_they_are_alone(cycle: Cycle) -> None:
    version = waiting(cycle)
    with pytest.raises(NotAllowed, match="nobody approves their own run") as refused:
        cycle.decide("approve", version, by=ANN)
    assert refused.value.where == "m:1" and "modelcycle policy m" in refused.value.remedy
    assert cycle.state(version) == "awaiting_approval" and not cycle.audited("approve")
    root = "arn:aws:iam::123456789012:root"
    alone = waiting(cycle, author=root)
    assert cycle.decide("approve", alone, by=root).told == "you approved your own run: nobody else has access here"


def test_who_started_the_run_that_asks_is_an_author_too(cycle: Cycle) -> None:
    def asked(author: str | None) -> int:
        version = cycle.staged(author=ANN)
        cycle.registry.standings.move("m", version, "awaiting_approval", "run r2", author=author)
        return version

    by_bob = asked(BOB)
    for policy, why in (("", "nobody approves their own run"), ("approvals: {four_eyes: true}\n" + ALL, "four eyes")):
        if policy:
            with_policy(cycle, policy)
        for one in (ANN, BOB):
            with pytest.raises(NotAllowed, match=why):
                cycle.decide("approve", by_bob, by=one)
    assert cycle.decide("approve", asked(None), by=BOB).told.startswith("1 of 2 approvals"), "nobody knows who asks"
    with_policy(cycle, ALL)
    cycle.decide("approve", by_bob, by=BOB)
    with_policy(cycle, "approvals: {four_eyes: true}\n" + ALL)
    with pytest.raises(NotAllowed, match="version 1 has 0 of 1 approvals"):
        cycle.decide("promote", by_bob, by=CAT)


def test_two_people_are_counted_once_each_however_often_they_approve(cycle: Cycle) -> None:
    with_policy(cycle, "approvals: {needed: 2}\n" + ALL)
    version = waiting(cycle)
    for told in ("1 of 2 approvals are given", "you approved it before: 1 of 2 approvals are given"):
        decided = cycle.decide("approve", version, by=BOB)
        assert decided.waits and decided.told.startswith(told), decided.told
    assert cycle.state(version) == "awaiting_approval" and not cycle.flows.started
    assert not cycle.decide("approve", version, by=CAT).waits
    assert cycle.state(version) == "staged" and len(cycle.flows.started) == 1
    assert [entry.by for entry in cycle.audited("approve", "approval")] == [CAT, BOB]
    cycle.decide("approve", version, by=BOB)  # replayed
    assert len(cycle.audited("approve")) == 1 and len(cycle.flows.started) == 1


def test_two_sessions_of_a_role_are_one_person(cycle: Cycle) -> None:
    with_policy(cycle, "approvals: {needed: 2}\n" + ALL)
    version, role = waiting(cycle), "arn:aws:sts::123456789012:assumed-role/Approver/"
    cycle.decide("approve", version, by=role + "one")
    assert cycle.decide("approve", version, by=role + "two").waits
    with_policy(cycle, "approvals: {needed: 2, session_names: trusted}\n" + ALL)
    assert not cycle.decide("approve", version, by=role + "two").waits


@pytest.mark.parametrize(("author", "needed"), [(ANN, 1), (None, 2)])
def test_four_eyes_are_two_people_where_nobody_knows_the_author(cycle: Cycle, author: str | None, needed: int) -> None:
    with_policy(cycle, "approvals: {needed: 1, four_eyes: true}\n" + ALL)
    version = waiting(cycle, author)
    if author:
        with pytest.raises(NotAllowed, match="asks for four eyes"):
            cycle.decide("approve", version, by=ANN)
    first = cycle.decide("approve", version, by=BOB)
    assert first.waits is (needed == 2)
    if needed == 2:
        assert "nobody knows who started its run, so two people have to approve it" in first.told
        cycle.decide("approve", version, by=CAT)
    assert cycle.state(version) == "staged"


@pytest.mark.parametrize("key", ["m/runs/r/govern/card.md", "m/runs/r/select_model/model.onnx", "m/0.9/figures.json"])
def test_nobody_can_approve_other_bytes_than_those_registered(cycle: Cycle, key: str) -> None:
    version = waiting(cycle)
    body = cycle.store.objects[key]
    cycle.store.objects[key] = bytes([body[0] ^ 1]) + body[1:]
    cycle.store.missing = lambda artifacts: []  # type: ignore[method-assign]  # metadata can be forged, bytes cannot
    with pytest.raises(NotAllowed, match="what is registered as version 1 is not what is there"):
        cycle.decide("approve", version, by=BOB)
    assert cycle.state(version) == "awaiting_approval"


def test_an_approval_is_void_once_the_version_names_other_bytes(cycle: Cycle) -> None:
    version = waiting(cycle)
    cycle.live()
    cycle.decide("approve", version, by=BOB)
    record = cycle.table.get("VERSION#m", f"VERSION#{version:08d}")
    assert record is not None
    other = cycle.store.put("m/runs/r2/select_model/model.onnx", b"another graph")
    body = record.body | {"onnx": other.model_dump(mode="json")}
    cycle.table.write(Write(*record.key, body, record.revision))
    with pytest.raises(NotAllowed, match="the approval of version 1 is void"):
        cycle.step(version, 0, moves=1)
    assert cycle.weights == {2: 100}
    (entry,) = cycle.audited("stopped")
    assert entry.by == "policy default"


def test_a_promotion_needs_the_approvals_of_the_policy_too(cycle: Cycle) -> None:
    with_policy(cycle, "approvals: {needed: 1}\n" + ALL)
    cycle.live()
    version = cycle.staged()
    with pytest.raises(NotAllowed, match="version 2 has 0 of 1 approvals"):
        cycle.decide("promote", version, by=BOB)
    assert not cycle.flows.started and not cycle.audited("promote")


def test_approvals_under_an_older_policy_are_counted_by_the_policy_of_now(cycle: Cycle) -> None:
    role = "arn:aws:sts::123456789012:assumed-role/Approver/"
    cycle.live()
    with_policy(cycle, "approvals: {needed: 1}\n" + ALL)
    own = waiting(cycle)
    cycle.decide("approve", own, by=ANN)
    with_policy(cycle, "approvals: {needed: 2, session_names: trusted}\n" + ALL)
    shared = waiting(cycle)
    for name in ("one", "two"):
        cycle.decide("approve", shared, by=role + name)
    assert cycle.step(shared, 0, moves=1).weight == 10
    with_policy(cycle, "approvals: {needed: 2}\n" + ALL)
    assert "version 3 has 1 of 2 approvals" in cycle.step(shared, 1, moves=2).held
    with_policy(cycle, "approvals: {four_eyes: true}\n" + ALL)  # one is needed, because one was asked for
    for again in (lambda: cycle.step(own, 0, moves=3), lambda: cycle.decide("promote", own, by=BOB)):
        with pytest.raises(NotAllowed, match=r"version 2 has 0 of 1 approvals .*\(1 of its author or of one person tw"):
            again()


def test_a_rule_that_no_longer_holds_stops_approval_promotion_and_the_next_step(cycle: Cycle) -> None:
    cycle.live()
    version = waiting(cycle, accuracy=0.7)
    cycle.registry.standings.move("m", version, "staged", BOB)
    assert cycle.step(version, 0, moves=1).weight == 10
    with_policy(cycle, ACCURATE + ALL)
    sentence = "good: metrics.accuracy is 0.7, at least 0.8 is required; add data"
    for decision, one in (("approve", waiting(cycle, accuracy=0.7)), ("promote", version)):
        with pytest.raises(NotAllowed) as refused:
            cycle.decide(decision, one, by=BOB)
        assert sentence in refused.value.what
    stopped = cycle.step(version, 1, moves=2)
    assert stopped.overruled and sentence in stopped.held and cycle.weights == {1: 100}
    (entry,) = cycle.audited("withdraw")
    assert entry.by == "policy strict" and sentence in entry.why
    assert cycle.step(version, 1, moves=2).overruled, "delivered twice"
    assert cycle.decide("rollback", 1, by=BOB).version == 1, "a rollback asks no policy"


def test_in_a_freeze_the_next_step_waits_and_a_rollback_does_not(cycle: Cycle) -> None:
    cycle.live()
    version = waiting(cycle)
    today = datetime.now(UTC)
    days = f"from: {today - timedelta(days=1):%Y-%m-%d}, until: {today + timedelta(days=2):%Y-%m-%d}"
    groups = f"groups: {{sre: ['{CAT}']}}\n"
    with_policy(cycle, f"freeze: [{{name: the sales, {days}, may_override: [sre]}}]\n{groups}{ALL}")
    decided = cycle.decide("approve", version, by=BOB)
    assert decided.frozen and decided.told.startswith(
        "its rollout waits: the sales: no version gets more traffic until"
    )
    assert decided.told.endswith("; people of sre may override it")
    waits = cycle.step(version, 0, moves=1)
    assert (waits.done, waits.overruled, waits.judged, waits.step, waits.moves) == (False, False, False, 0, 1)
    assert waits.wait_seconds == 3600 and waits.held and cycle.weights == {1: 100}
    assert cycle.step(version, 0, moves=1).held == waits.held and len(cycle.audited("frozen")) == 1
    with pytest.raises(NotAllowed, match="the sales: no version gets more traffic"):
        cycle.decide("promote", version, by=BOB)
    cycle.flows.started.clear()
    promoted = cycle.decide("promote", version, by=CAT)
    assert not promoted.note and not promoted.frozen
    assert cycle.decide("rollback", 1, by=BOB).version == 1


def test_in_a_freeze_no_rollback_is_offered_where_nothing_is_live(cycle: Cycle) -> None:
    with_policy(cycle, "freeze: [{name: x, from: 2020-01-01, until: 2099-01-01}]\n" + ALL)
    version = cycle.staged(author=ANN)
    with pytest.raises(NotAllowed) as refused:
        cycle.decide("promote", version, by=BOB)
    assert refused.value.remedy == "promote it after that"
    cycle.registry.routes.promote("m", cycle.staged(author=ANN), 100, "run r")
    with pytest.raises(NotAllowed) as refused:
        cycle.decide("promote", version, by=BOB)
    assert refused.value.remedy.endswith("`modelcycle rollback m` always works")


def test_after_a_freeze_a_promotion_does_not_wait_for_the_rollout_that_it_held(cycle: Cycle) -> None:
    frozen_now = "freeze: [{name: x, from: 2020-01-01, until: 2099-01-01}]\n" + ALL
    with_policy(cycle, frozen_now)
    cycle.live()
    version = waiting(cycle)
    cycle.decide("approve", version, by=BOB)
    (first,) = cycle.flows.started
    assert cycle.step(version, 0, moves=1, rollout=first).held
    assert cycle.decide("approve", version, by=BOB).told.startswith("its rollout waits")
    assert list(cycle.flows.started) == [first]
    with_policy(cycle, ALL)
    assert not cycle.decide("promote", version, by=BOB).note
    assert list(cycle.flows.started) == [first, f"{first}-2"]
    assert cycle.step(version, 0, moves=1, rollout=f"{first}-2").weight == 10
    assert cycle.step(version, 0, moves=1, rollout=first).overruled and cycle.weights[version] == 10


def test_what_nobody_approves_in_time_is_refused_once(cycle: Cycle) -> None:
    with_policy(cycle, "approvals: {needed: 1, expires_days: 5}\n" + ALL)
    version, asked = waiting(cycle), datetime.now(UTC)
    for days, expired in ((4, 0), (6, 1), (6, 0)):
        now = asked + timedelta(days=days)
        cycle.registry.table.write(Write("MODELS", "m", {"model": "m"})) if days == 4 else None
        result = expire(ExpireRequest(models="all"), registry=cycle.registry, policies=cycle.policies, now=now)
        assert (result.models, result.expired) == (1, expired)
    assert cycle.state(version) == "refused" and len(cycle.audited("expired")) == 1
    with pytest.raises(NotAllowed, match="there is nothing to approve"):
        cycle.decide("approve", version, by=BOB)
    cycle.registry.standings.move("m", version, "staged", "run r2")  # made again, it may be asked about again


def test_an_approval_that_comes_too_late_ends_the_request(cycle: Cycle) -> None:
    version = waiting(cycle)
    record = cycle.table.get("STATE#m", f"STATE#{version:08d}")
    assert record is not None
    old = Standing.model_validate(record.body).model_copy(update={"at": datetime.now(UTC) - timedelta(days=31)})
    cycle.table.write(Write(*record.key, old.model_dump(mode="json"), record.revision))
    with pytest.raises(NotAllowed, match=r"expired: nobody approved it within 30 days \(policy default\)"):
        cycle.decide("approve", version, by=BOB)
    assert cycle.state(version) == "refused" and not cycle.flows.started


def test_a_version_that_had_traffic_is_retired_again_when_nobody_approves_it(cycle: Cycle) -> None:
    cycle.live(2)
    cycle.registry.standings.move("m", 1, "awaiting_approval", "run r2")
    expire(
        ExpireRequest(models=["m"]), registry=cycle.registry, policies=cycle.policies,
        now=datetime.now(UTC) + timedelta(days=31),
    )  # fmt: skip
    assert cycle.state(1) == "retired" and cycle.decide("rollback", by=BOB).version == 1


def test_of_twenty_approvals_at_once_each_person_counts_once(cycle: Cycle) -> None:
    with_policy(cycle, "approvals: {needed: 5}\n" + ALL)
    version = waiting(cycle)
    people = [f"arn:aws:iam::123456789012:user/p{number % 4}" for number in range(20)]
    threads = [threading.Thread(target=cycle.decide, args=("approve", version), kwargs={"by": by}) for by in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    approved = cycle.registry.approvals.get("m", version)
    assert approved is not None and sorted(one.by for one in approved.given) == sorted(set(people))
    assert cycle.state(version) == "awaiting_approval" and len(cycle.audited("approval")) == 4
