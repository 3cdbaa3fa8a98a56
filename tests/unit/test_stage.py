"""The rehearsal, and the state that its verdict gives a version."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from modelcycle.messages import ScoredCandidate, Staged
from modelcycle.model.answer import answer, load_version
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.request import MAX_REQUEST_BYTES
from modelcycle.model.scoring import Scores
from modelcycle.policy import Shelf, parse_policy
from modelcycle.proxy_requests import proxy_request
from modelcycle.registry import Registry, Route
from modelcycle.score_candidate import score_candidate
from modelcycle.spec import Task
from modelcycle.stage import Places, stage
from modelcycle.stage.expected_answers import ExpectedAnswers
from modelcycle.stage.rehearsal import rehearse
from tests.fakes import UNSIGNED, MemoryStore, MemoryTable
from tests.serving_function import ServingFunction
from tests.trained import COLOUR, HOURS, MODEL, Cycle, cycle, train

QUICK = {"rows": 40, "p99_ms": 10_000, "concurrency": [2], "load_seconds": 0.05}
SLOW = QUICK | {"rows": 5, "p99_ms": 1e-6}


class Registered:
    """A run whose candidate is a version, ready to be staged."""

    def __init__(self, task: Task = "binary", run_id: str = "r1", before: Registered | None = None, **pipeline: Any):
        self.store = before.store if before else MemoryStore()
        self.registry = before.registry if before else Registry(MemoryTable())
        pipeline = {"staging": QUICK} | pipeline
        self.cycle: Cycle = cycle(train(task), self.store, self.registry, run_id, **pipeline)
        self.scored: ScoredCandidate = score_candidate(
            self.cycle.score_candidate, artifacts=self.store, registry=self.registry, code="c"
        )
        self.version = self.cycle.register().version
        self.data = before.data if before else MemoryStore("data")
        self.function = ServingFunction(self.registry, self.store)

    def stage(self, *ask: str, always: bool = False, policy: str = "", author: str | None = None) -> Staged:
        request = self.cycle.stage(self.scored, self.version)
        request = request.model_copy(update={"run": request.run.model_copy(update={"author": author})})
        request = request.model_copy(update={"validate_": request.validate_.model_copy(update={"ask": list(ask)})})
        text = f"name: strict\nversion: 1\nmodels: ['*']\n{policy}"
        policies = Shelf({"strict.yaml": parse_policy(text)}) if policy else None
        places = Places(
            self.store, self.data, self.registry, self.function, UNSIGNED, "c", approval=always, policies=policies
        )
        return stage(request, places)

    def report(self) -> Any:
        return json.loads(self.store.read(self.stage().report))

    @property
    def state(self) -> str:
        return self.registry.standings.get(MODEL, self.version).state


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_version_that_passes_is_staged(task: Task) -> None:
    run = Registered(task)
    result = run.stage()
    assert (result.verdict, result.reasons, result.differences, result.rows) == ("passed", [], 0, 40)
    assert 0 < result.p50_ms <= result.p99_ms and not result.approval
    assert run.state == "staged"


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_answers_of_a_staged_version_are_put_on_record_once(task: Task) -> None:
    run = Registered(task)
    run.stage()
    key = run.registry.versions.get(MODEL, run.version).answers_key
    record = json.loads(run.store.objects[key])
    served = load_version(run.registry.versions.get(MODEL, run.version), run.store, UNSIGNED)
    assert 0 < len(record["rows"]) <= 50
    for row in record["rows"]:
        said = answer({"instances": [row["instance"]]}, Route(weights={1: 100}), {1: served}, "k")
        if task == "regression":
            assert row["probabilities"] is None and row["prediction"] == pytest.approx(said.predictions[0], rel=1e-5)
        else:
            assert row["prediction"] == said.predictions[0] or row["tie"]
            assert row["probabilities"] == pytest.approx(said.probabilities[0], abs=1e-5)
    run.store.put(key, b"another")  # as a later run would
    assert json.loads(run.store.objects[key]) == record


def test_rows_that_json_cannot_carry_are_not_put_on_record() -> None:
    run = Registered()
    signature = load_version(run.registry.versions.get(MODEL, run.version), run.store, UNSIGNED).signature
    instances = [{HOURS: float("inf")}, {HOURS: 1.0}, {HOURS: None}]
    scores = np.array([[0.2, 0.8], [np.nan, 0.1], [0.4, 0.6]])
    record = ExpectedAnswers(signature, instances, scores, ["yes", "no", "yes"], 1.0).on_record(50)
    assert [row["instance"] for row in record["rows"]] == [{HOURS: None}]
    json.dumps(record, allow_nan=False)


@pytest.mark.parametrize(
    ("characters", "kept"),
    [([300_000, 10, 10], 2), ([10, 100_000, 100_000], 2), ([250_000] * 3, 1), ([400_000, 300_000, 400_000], 1),
     ([400_000] * 3, 0)],
)  # fmt: skip
def test_rows_on_record_fit_into_one_request(characters: list[int], kept: int) -> None:
    run = Registered()
    signature = load_version(run.registry.versions.get(MODEL, run.version), run.store, UNSIGNED).signature
    instances = [{'long "text"': "ж" * count} for count in characters]  # six characters each, as JSON
    record = ExpectedAnswers(signature, instances, np.array([[0.2, 0.8]] * 3), ["yes"] * 3, 1.0).on_record(50)
    assert (len(record["rows"]), record["too_large"]) == (kept, 3 - kept)
    asked = {"instances": [row["instance"] for row in record["rows"]]}
    event = proxy_request("POST", "/p", "/p", {"name": MODEL}, "r", asked)
    assert len(json.loads(event)["body"]) <= MAX_REQUEST_BYTES and len(event) < 6_000_000


def test_a_slow_version_is_refused_with_the_reason_recorded() -> None:
    run = Registered(staging=SLOW)
    result = run.stage()
    assert result.verdict == "refused" and "staging.p99_ms" in result.reasons[0]
    standing = run.registry.standings.get(MODEL, run.version)
    assert standing.state == "refused" and standing.why == "; ".join(result.reasons)


def test_a_version_that_needs_approval_waits() -> None:
    run = Registered(approval={"required": True})
    result = run.stage()
    assert result.approval and run.state == "awaiting_approval"
    assert result.ask == ["the pipeline file requires approval"]


def test_a_stack_may_ask_for_the_approval_of_each_version_whatever_its_pipeline_file_says() -> None:
    run = Registered(approval={"required": False})
    result = run.stage("the rows are few", always=True)
    assert result.approval and run.state == "awaiting_approval"
    assert (
        run.registry.standings.get(MODEL, run.version).why
        == "the rows are few; every version of this stack needs an approval"
    )
    assert result.ask == ["the rows are few", "every version of this stack needs an approval"]


@pytest.mark.parametrize(("policy", "author", "sentence"), [
    ("approvals: {needed: 1}\n", None, "policy strict asks for 1 approval"),
    ("approvals: {needed: 2}\n", "arn:ann", "policy strict asks for 2 approvals by different people"),
    ("approvals: {needed: 1, four_eyes: true}\n", "arn:ann", "policy strict asks for 1 approval, not by arn:ann"),
    (
        "approvals: {needed: 1, four_eyes: true}\n", None,
        "policy strict asks for 2 approvals by different people: nobody knows who started the run",
    ),
])  # fmt: skip
def test_a_version_waits_where_its_policy_asks(policy: str, author: str | None, sentence: str) -> None:
    run = Registered(approval={"required": False})
    result = run.stage(policy=policy, author=author)
    assert result.approval and result.ask == [sentence] and run.state == "awaiting_approval"


def test_a_second_delivery_returns_the_first_verdict_and_moves_nothing() -> None:
    for settings in ({}, {"approval": {"required": True}}, {"staging": SLOW}):
        run = Registered(**settings)
        first = run.stage()
        written = len(run.registry.table.written)  # type: ignore[attr-defined]
        assert run.stage() == first and len(run.registry.table.written) == written  # type: ignore[attr-defined]


def test_a_kill_between_the_report_and_the_move_is_repaired() -> None:
    run = Registered()
    first = run.stage()
    killed = Registered()
    killed.store.objects.update({key: body for key, body in run.store.objects.items() if "/staging/" in key})
    killed.function.seconds = 0.01
    assert killed.stage().model_dump(exclude={"moves"}) == first.model_dump(exclude={"moves"})
    assert killed.state == "staged"


def test_a_kill_within_the_load_test_measures_again() -> None:
    run = Registered()
    invoke, calls = run.function.invoke, iter(range(100_000))

    def killed(event: bytes) -> Any:
        if next(calls) == 3:
            raise SystemExit
        return invoke(event)

    run.function.invoke = killed  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        run.stage()
    assert run.state == "registered" and not any("/staging/" in key for key in run.store.objects)
    assert run.stage().verdict == "passed" and run.state == "staged"


def test_a_second_delivery_loads_the_function_no_more() -> None:
    run = Registered()
    run.stage()
    asked = run.function.events
    run.stage()
    assert run.function.events == asked > 0


def test_a_kill_between_two_moves_still_waits_for_approval() -> None:
    run = Registered(approval={"required": True})
    run.registry.standings.move(MODEL, run.version, "staged", "run r1")
    assert run.stage().verdict == "passed" and run.state == "awaiting_approval"


def test_a_late_delivery_does_not_undo_an_approval() -> None:
    run = Registered(approval={"required": True})
    run.stage()
    run.registry.standings.move(MODEL, run.version, "staged", "ada")
    run.stage()
    assert run.state == "staged"
    run.registry.routes.promote(MODEL, run.version, 100, "rollout")
    assert run.stage().verdict == "passed" and run.state == "live"


def test_a_version_that_was_rejected_is_refused_again() -> None:
    first = Registered(approval={"required": True})
    first.stage()
    first.registry.standings.move(MODEL, first.version, "rejected", "ada", "unfair to men")
    second = Registered(run_id="r2", before=first)
    result = second.stage()
    assert second.version == first.version and result.verdict == "refused"
    assert result.reasons == ["version 1 was rejected before: unfair to men"]


def test_a_version_whose_rehearsal_was_slow_is_staged_by_a_later_run() -> None:
    first = Registered(staging=SLOW)
    assert first.stage().verdict == "refused" and first.state == "refused"
    second = Registered(run_id="r2", before=first)
    assert second.version == first.version
    assert second.stage().verdict == "passed" and second.state == "staged"
    first.stage()  # delivered late
    assert second.state == "staged"


def test_a_version_whose_answers_differ_is_refused_for_good() -> None:
    first = Registered()
    right = first.scored
    scores = Scores.from_bytes(first.store.read(right.scores)).scores
    wrong = first.store.put("else", Scores(scores[:, ::-1].copy()).to_bytes())
    first.scored = right.model_copy(update={"scores": wrong})
    assert first.stage().verdict == "refused"
    second = Registered(run_id="r2", before=first)
    result = second.stage()
    assert result.verdict == "refused" and "was refused before: " in result.reasons[0]


def test_a_version_whose_rollout_was_aborted_is_staged_by_a_later_run_and_a_rolled_back_one_is_not() -> None:
    live = Registered()
    live.stage()
    live.registry.routes.promote(MODEL, live.version, 100, "run r1")
    number = live.cycle.register("other").version
    live.registry.standings.move(MODEL, number, "staged", "run r1")
    live.version = number
    live.registry.routes.promote(MODEL, number, 10, "run r1", rollout="x", step=0)
    assert live.registry.routes.withdraw(MODEL, number, "x", "rollout", "the rollout did not complete")
    again = Registered(run_id="r2", before=live)
    again.version = number
    assert again.stage().verdict == "passed" and again.state == "staged"
    again.registry.routes.promote(MODEL, number, 10, "run r2", rollout="y", step=0)
    again.registry.routes.roll_back(MODEL, "ada", "unfair to men")
    third = Registered(run_id="r3", before=live)
    third.version = number
    assert third.stage().reasons == ["version 2 was rolled back before: unfair to men"]
    assert third.state == "rolled_back"


def test_a_retired_version_that_is_made_again_waits_for_approval_if_the_pipeline_file_requires_it() -> None:
    first = Registered()
    first.stage()
    first.registry.routes.promote(MODEL, first.version, 100, "run r1")
    other = first.cycle.register("other").version
    first.registry.standings.move(MODEL, other, "staged", "run r1")
    first.registry.routes.promote(MODEL, other, 100, "run r1")
    assert first.state == "retired"
    second = Registered(run_id="r2", before=first, approval={"required": True})
    assert second.stage(author="ann").approval and second.state == "awaiting_approval"
    asked = second.registry.standings.get(MODEL, second.version)
    assert (asked.by, asked.author) == ("run r2", "ann"), "not who started the run that made it"


ASK = ("income: 10.0 % of the values are not numbers", "too few rows")


def test_a_version_that_nobody_could_compare_waits_with_the_reasons() -> None:
    run = Registered()
    first = run.stage(*ASK)
    assert (first.verdict, first.approval) == ("passed", True)
    standing = run.registry.standings.get(MODEL, run.version)
    assert (standing.state, standing.why) == ("awaiting_approval", "; ".join(ASK))
    written = len(run.registry.table.written)  # type: ignore[attr-defined]
    assert run.stage(*ASK) == first and len(run.registry.table.written) == written  # type: ignore[attr-defined]


def test_a_kill_between_two_moves_still_asks() -> None:
    run = Registered()
    run.registry.standings.move(MODEL, run.version, "staged", "run r1")
    assert run.stage(*ASK).approval and run.state == "awaiting_approval"


def test_a_late_delivery_that_asks_does_not_undo_an_approval() -> None:
    run = Registered()
    run.stage(*ASK)
    run.registry.standings.move(MODEL, run.version, "staged", "ada")
    assert run.stage(*ASK).approval and run.state == "staged"
    run.registry.routes.promote(MODEL, run.version, 100, "rollout")
    run.stage(*ASK)
    assert run.state == "live"


@pytest.mark.parametrize("before", ["staged", "retired", "refused"])
def test_a_version_that_an_earlier_run_made_waits_too_if_it_cannot_be_compared_now(before: str) -> None:
    first = Registered(**({"staging": SLOW} if before == "refused" else {}))
    first.stage()
    if before == "retired":
        first.registry.routes.promote(MODEL, first.version, 100, "run r1")
        other = first.cycle.register("other").version
        first.registry.standings.move(MODEL, other, "staged", "run r1")
        first.registry.routes.promote(MODEL, other, 100, "run r1")
    assert first.state == before
    second = Registered(run_id="r2", before=first)
    assert second.version == first.version
    assert second.stage(*ASK).approval and second.state == "awaiting_approval"
    assert second.registry.standings.get(MODEL, second.version).why == "; ".join(ASK)


def test_a_version_that_a_person_approved_once_is_asked_about_again_after_another_was_live() -> None:
    """They approved it against the champion of that day."""
    first = Registered()
    first.stage(*ASK)
    first.registry.standings.move(MODEL, first.version, "staged", "ada")
    first.registry.routes.promote(MODEL, first.version, 100, "ada")
    other = first.cycle.register("other").version
    first.registry.standings.move(MODEL, other, "staged", "run r1")
    first.registry.routes.promote(MODEL, other, 100, "run r1")
    first.stage(*ASK)  # delivered late
    assert first.state == "retired"
    second = Registered(run_id="r2", before=first)
    assert second.stage(*ASK).approval and second.state == "awaiting_approval"


def test_the_result_has_the_last_move_that_the_run_read_first() -> None:
    first = Registered()
    assert first.stage().moves == 0
    first.registry.routes.promote(MODEL, first.version, 100, "run r1")
    assert first.stage().moves == 0


def test_a_version_that_waits_keeps_waiting_when_the_pipeline_file_changes() -> None:
    first = Registered(approval={"required": True})
    first.stage()
    second = Registered(run_id="r2", before=first, approval={"required": False})
    assert second.stage().approval and second.state == "awaiting_approval"


def test_scores_that_differ_from_those_of_the_batch_are_differences() -> None:
    run = Registered()
    scores = Scores.from_bytes(run.store.read(run.scored.scores)).scores
    run.scored = run.scored.model_copy(
        update={"scores": run.store.put("else", Scores(scores[:, ::-1].copy()).to_bytes())}
    )
    result = run.stage()
    assert result.verdict == "refused" and result.differences > 30
    assert "answered differently alone and in a batch" in result.reasons[0]


def test_a_row_that_the_serving_code_refuses_is_named_without_its_values() -> None:
    here = Registered()
    served = load_version(here.registry.versions.get(MODEL, 1), here.store, UNSIGNED)
    rows = Columns({HOURS: np.array([1.0], dtype=np.float32), COLOUR: Texts(np.array([0], dtype=np.int32), ["secret"])})
    narrow = served.signature.model_copy(
        update={
            "fields": [
                f if f.name != COLOUR else f.model_copy(update={"type": "boolean"}) for f in served.signature.fields
            ]
        }
    )
    expected = ExpectedAnswers.of(narrow, rows, np.zeros((1, 2), dtype=np.float32), 5)
    result = rehearse(dataclasses.replace(served, signature=narrow), expected)
    assert result.unreadable == 1 and "refuses a test row: BadRequest, /instances/0" in result.broken[0]
    assert "secret" not in json.dumps(result.broken)


def test_a_version_is_refused_without_test_rows() -> None:
    run = Registered()
    empty = run.cycle.trained.test.take(np.array([], dtype=int))
    run.cycle.preprocess = run.cycle.preprocess.model_copy(
        update={"test_features": run.store.put("empty", Columns(empty.values).to_bytes())}
    )
    assert "no test rows" in run.stage().reasons[0]


def test_the_report_has_what_was_measured() -> None:
    run = Registered()
    result = run.stage()
    report = json.loads(run.store.read(result.report))
    assert report["p99_ms"] == result.p99_ms and report["limits"].items() >= QUICK.items()


def test_the_rounding_of_large_terms_is_no_difference_of_a_regression() -> None:
    signature = train("regression").signature
    batch = np.array([[0.302]], dtype=np.float32)
    assert ExpectedAnswers(signature, [{}], batch, [0.302], unit=1.0).differs(0, 0.304, None)
    assert not ExpectedAnswers(signature, [{}], batch, [0.302], unit=250.0).differs(0, 0.304, None)


def test_the_result_has_the_figures_of_the_load_test() -> None:
    result = Registered().stage()
    assert result.rows_per_second and result.at_once == 2 and result.own_p99_ms
    assert result.memory_mb == 101 and result.cold_start_ms and result.cold_start_ms > 300
    assert result.notes == ["no captured requests replayed: no other version is live"]


@pytest.mark.parametrize(
    ("limits", "function", "named"),
    [
        ({"p99_ms": 40}, {"seconds": 0.06}, "p99 in the serving function is "),
        ({"rows_per_second": 100_000}, {}, "below the limit of 100,000 (staging.rows_per_second)"),
        ({"memory_mb": 100}, {}, "the serving function used 101 MB, above the limit of 100 (staging.memory_mb)"),
        ({"cold_start_ms": 200}, {}, "above the limit of 200 ms (staging.cold_start_ms)"),
        ({}, {"fails": {3: "Runtime.ExitError"}}, "failed 1 requests of the load test: Runtime.ExitError (1)"),
        ({}, {"wrong": True}, "rows are answered differently by the serving function"),
        (
            {"soak_seconds": 0.3, "concurrency": [1]},
            {"leak_mb": 0.1, "seconds": 0.001},
            "memory grows with each request, by 100.0 MB in 1,000",
        ),
    ],
)
def test_a_limit_of_the_load_test_refuses_but_not_for_good(
    limits: dict[str, Any], function: dict[str, Any], named: str
) -> None:
    run = Registered(staging=QUICK | limits)
    for name, value in function.items():
        setattr(run.function, name, value)
    result = run.stage()
    assert result.verdict == "refused" and named in result.reasons[0], result.reasons
    assert len(result.reasons) == 1
    assert run.state == "refused" and not run.registry.standings.get(MODEL, run.version).final
    assert Registered(run_id="r2", before=run).stage().verdict == "passed"


@pytest.mark.parametrize(
    ("function", "note"),
    [
        ({"limit": 1, "seconds": 0.01}, "load test: Lambda did not answer"),
        ({"away": True}, "load test: nothing was measured"),
        ({"warm": True}, "load test: staging.cold_start_ms was not checked, since all environments were warm"),
    ],
)
def test_what_lambda_did_not_do_is_told_and_not_held_against_the_version(function: dict[str, Any], note: str) -> None:
    run = Registered(staging=QUICK | {"cold_start_ms": 1, "rows_per_second": 0.1})
    for name, value in ({"warm": True} | function).items():
        setattr(run.function, name, value)
    result = run.stage()
    assert result.verdict == "passed", result.reasons
    assert any(note in told for told in result.notes), result.notes


def test_a_version_with_wrong_answers_is_not_put_under_load() -> None:
    run = Registered()
    scores = Scores.from_bytes(run.store.read(run.scored.scores)).scores
    wrong = run.store.put("else", Scores(scores[:, ::-1].copy()).to_bytes())
    run.scored = run.scored.model_copy(update={"scores": wrong})
    assert run.stage().verdict == "refused" and run.function.events == 0


def test_a_load_test_can_be_left_out() -> None:
    run = Registered(staging=QUICK | {"concurrency": []})
    result = run.stage()
    assert result.verdict == "passed" and run.function.events == 0 and result.rows_per_second is None
    assert "no load test (staging.concurrency is empty)" in result.notes
