"""ONNX and scikit-learn agree on every row, or the run ends; then candidate and champion score the test rows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from modelcycle.cells.column import Column
from modelcycle.faults import BadMessage, ParityBroken
from modelcycle.messages import ScoredCandidate
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.parity import TOLERANCE, Parity, ScorePair, check_parity
from modelcycle.model.row_groups import MAX_GROUPS, OTHER, sensitive_groups
from modelcycle.model.scoring import Scorer, Scores, predictions
from modelcycle.model.signature import Signature
from modelcycle.registry import Registry
from modelcycle.score_candidate import score_candidate
from modelcycle.score_candidate.score_candidate import _listed_classes
from modelcycle.spec import Task
from tests.fakes import MemoryStore, MemoryTable
from tests.trained import COLOUR, HOURS, MODEL, SEX, Cycle, Trained, cycle, train

TASKS: list[Task] = ["binary", "multiclass", "regression"]


def begun(trained: Trained, **pipeline: Any) -> Cycle:
    return cycle(trained, MemoryStore(), Registry(MemoryTable()), **pipeline)


def scored(cycle: Cycle, code: str = "c") -> ScoredCandidate:
    return score_candidate(cycle.score_candidate, artifacts=cycle.store, registry=cycle.registry, code=code)


def compare(expected: Any, actual: Any, task: Task, deviation: float = 1.0) -> Parity:
    pair = ScorePair("validation", np.array(expected), np.array(actual))
    return check_parity([pair], task, deviation, "linear")


@pytest.mark.parametrize("task", TASKS)
def test_a_sound_export_agrees_on_validation_rows_and_probes(task: Task) -> None:
    run = begun(train(task))
    result = scored(run)
    assert result.rows == 404 and result.max_difference < 1e-5 and result.champion is None
    stored = Scores.from_bytes(run.store.read(result.scores))
    assert stored.scores.shape == (600, max(1, len(run.trained.signature.classes)))
    assert stored.groups[SEX].levels == ["Female", "Male"] and len(stored.groups[SEX]) == 600


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("part", "rows"), [("validation", "validation"), ("probes", "parity")])
def test_one_row_that_differs_breaks_parity(task: Task, part: str, rows: str) -> None:
    trained = train(task)
    reference = {name: scores.copy() for name, scores in trained.reference.items()}
    reference[part][2, 0] += 0.5 * (10 if task == "regression" else 1)
    with pytest.raises(ParityBroken, match=rf"1 of \d+ {rows} rows differ"):
        scored(begun(dataclasses.replace(trained, reference=reference)))


def test_a_score_that_is_not_finite_breaks_parity() -> None:
    with pytest.raises(ParityBroken, match="without a finite score"):
        compare([[0.5, 0.5]], [[np.nan, 0.5]], "binary")


def test_a_row_on_the_threshold_may_flip_within_the_tolerance_and_is_counted() -> None:
    expected = [[0.5, 0.5], [0.9, 0.1]]
    actual = [[0.50001, 0.49999], [0.9, 0.1]]
    assert compare(expected, actual, "binary").flips == 1
    with pytest.raises(ParityBroken):
        compare(expected, np.array(actual) + np.array([2 * TOLERANCE, 0]), "binary")


def test_differences_of_values_are_in_standard_deviations_of_the_target() -> None:
    expected, actual = [[1e6], [2e6]], [[1e6 + 10], [2e6]]
    assert compare(expected, actual, "regression", deviation=5e5).max_difference == pytest.approx(2e-5)
    with pytest.raises(ParityBroken):
        compare(expected, actual, "regression", deviation=1e4)


def test_the_champion_scores_the_same_rows() -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    version = cycle(train("binary", seed=50), store, registry, "r0").go_live()
    result = scored(cycle(train("binary"), store, registry, "r1"))
    assert result.champion == version.version and result.champion_scores is not None
    candidate_scores, champion_scores = (
        Scores.from_bytes(store.read(scores)).scores for scores in (result.scores, result.champion_scores)
    )
    assert champion_scores.shape == (600, 2) and not np.array_equal(champion_scores, candidate_scores)


def live_before(trained: Trained, seed: int = 0) -> tuple[Cycle, Signature]:
    """A run after a version of the same kind went live, and that version's signature."""
    store, registry = MemoryStore(), Registry(MemoryTable())
    live = cycle(train(trained.task, seed), store, registry, "r0")
    live.go_live()
    return cycle(trained, store, registry, "r1"), live.trained.signature


def with_signature(run: Cycle, **changes: Any) -> Cycle:
    """The run with another signature of its candidate; the graph stays the same."""
    signature = run.trained.signature.model_copy(update=changes)
    stored = run.store.put("another-signature", signature.model_dump_json().encode())
    run.select_model = run.select_model.model_copy(update={"signature": stored})
    return run


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        ("regression", "version 1 predicts numbers, the new model classes"),
        ("multiclass", "the data have the classes no, yes; version 1 has a, b, ç/ü"),
    ],
)
def test_a_champion_of_another_task_is_not_scored_and_the_reason_is_said(task: Task, reason: str) -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    cycle(train(task), store, registry, "r0").go_live()
    result = scored(cycle(train("binary"), store, registry, "r1"))
    assert (result.champion, result.champion_scores, result.uncompared) == (1, None, [reason])


def test_a_champion_of_another_target_or_of_classes_written_otherwise_is_not_scored() -> None:
    run, _ = live_before(train("binary"))
    assert scored(with_signature(run, classes=["No", "yes"])).uncompared == [
        "the data have the classes No, yes; version 1 has no, yes"
    ]
    run, _ = live_before(train("binary"))
    assert scored(with_signature(run, target="paid")).uncompared == [
        "version 1 predicts 'target', the new model 'paid'"
    ]


def test_of_many_classes_some_are_named() -> None:
    assert _listed_classes([f"{n:02}" for n in range(12)]) == "00, 01, 02, 03, 04, 05, 06, 07, 08, 09 and 2 more"


def test_the_reasons_of_find_unseen_come_with_those_about_the_target() -> None:
    run, _ = live_before(train("binary"))
    unseen = run.find_unseen.model_copy(update={"features": None, "positions": None, "uncompared": ["too few rows"]})
    request = run.score_candidate.model_copy(update={"find_unseen": unseen})
    result = score_candidate(request, artifacts=run.store, registry=run.registry, code="c")
    assert (result.champion_scores, result.uncompared) == (None, ["too few rows"])
    run = with_signature(run, target="paid")
    request = run.score_candidate.model_copy(update={"find_unseen": unseen})
    result = score_candidate(request, artifacts=run.store, registry=run.registry, code="c")
    assert result.uncompared == ["version 1 predicts 'target', the new model 'paid'", "too few rows"]


def test_rows_without_a_column_that_the_champion_reads_are_a_fault() -> None:
    """`find_unseen` reads every field of the champion, or says why it does not."""
    run, _ = live_before(train("binary"))
    narrow = Columns({n: v for n, v in run.trained.test.values.items() if n != COLOUR})
    unseen = run.find_unseen.model_copy(update={"features": run.store.put("narrow", narrow.to_bytes())})
    request = run.score_candidate.model_copy(update={"find_unseen": unseen})
    with pytest.raises(BadMessage, match="version 1 reads"):
        score_candidate(request, artifacts=run.store, registry=run.registry, code="c")


def test_the_positive_class_may_have_changed_since_the_champion() -> None:
    run, signature = live_before(train("binary"), seed=50)
    result = scored(with_signature(run, classes=["yes", "no"]))
    assert result.champion_scores is not None
    expected = Scorer(signature, train("binary", 50).onnx).scores(run.trained.test)
    champion = Scores.from_bytes(run.store.read(result.champion_scores)).scores
    np.testing.assert_array_equal(champion, expected[:, ::-1])


def test_the_twin_of_the_champion_is_scored_on_the_unseen_rows_only() -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    served, twin = train("binary", seed=50), train("binary", seed=90)
    live = cycle(served, store, registry, "r0")
    version = live.register().model_copy(update={"twin": store.put("twin", twin.onnx), "version": 2})
    registry.versions.register(version, "with a twin")
    registry.standings.move(MODEL, 2, "staged", "run r")
    registry.routes.promote(MODEL, 2, 100, "test")
    run = cycle(train("binary"), store, registry, "r1")
    rows = run.trained.test.take(np.array([3, 8, 500]))
    unseen = run.find_unseen.model_copy(update={"features": store.put("rows", rows.to_bytes()), "rows": 3})
    request = run.score_candidate.model_copy(update={"find_unseen": unseen})
    result = score_candidate(request, artifacts=store, registry=registry, code="c")
    assert result.champion == 2 and result.champion_scores is not None
    champion = Scores.from_bytes(store.read(result.champion_scores)).scores
    np.testing.assert_array_equal(champion, Scorer(served.signature, twin.onnx).scores(rows))
    assert Scores.from_bytes(store.read(result.scores)).scores.shape == (600, 2)


def test_delivered_twice_the_step_reuses_its_first_result() -> None:
    run = begun(train("binary"))
    first, second = scored(run), scored(run)
    assert not first.cached and second == first.model_copy(update={"cached": True})


def test_many_rows_are_scored_in_batches_and_alike() -> None:
    trained = train("binary")
    scorer = Scorer(trained.signature, trained.onnx)
    many = trained.train.take(np.tile(np.arange(1500), 6))
    np.testing.assert_array_equal(scorer.scores(many)[-1500:], scorer.scores(trained.train))
    assert scorer.scores(many.take(np.array([], dtype=int))).shape == (0, 2)


def test_a_prediction_is_a_class_or_a_short_number() -> None:
    binary, value = train("binary").signature, train("regression").signature
    assert predictions(np.array([[0.5, 0.5], [0.6, 0.4]], dtype=np.float32), binary, Columns({})) == ["yes", "no"]
    assert predictions(np.array([[0.1]], dtype=np.float32), value, Columns({})) == [0.1]


def test_groups_of_every_type_of_column() -> None:
    columns = Columns({
        "n": np.array([1, 2, np.nan, 2], dtype=np.float32), "b": np.array([1, 0, np.nan, 1], dtype=np.float32),
        "age": np.arange(4, dtype=np.float32), "d": np.array([0, 86400 * 400, np.nan, 0], dtype=np.float64),
    })  # fmt: skip
    wide = Columns({"age": np.arange(100, dtype=np.float32), "t": Texts.of([f"t{n % 40}" for n in range(100)])})
    sensitive = [
        Column(name="n", type="number"), Column(name="b", type="boolean"), Column(name="d", type="datetime"),
        Column(name="gone", type="text"),
    ]  # fmt: skip
    by_column = sensitive_groups(columns, sensitive)
    assert by_column["n"].strings("-").tolist() == ["1", "2", "-", "2"]
    assert by_column["b"].strings("-").tolist() == ["true", "false", "-", "true"]
    assert by_column["d"].codes[2] == -1 and "gone" not in by_column
    banded = sensitive_groups(wide, [Column(name="age", type="number"), Column(name="t", type="text")])
    assert len(banded["age"].levels) == 4 and set(np.bincount(banded["age"].codes)) == {25}
    assert len(banded["t"].levels) == MAX_GROUPS and banded["t"].levels[-1] == OTHER


def test_unseen_and_unusual_texts_are_scored_like_any_unknown() -> None:
    trained = train("binary")
    scorer = Scorer(trained.signature, trained.onnx)
    texts = ["\x00", "red\x00", "日本", "x" * 100_000, "=1+1"]
    rows = Columns({HOURS: np.full(5, 40, dtype=np.float32), COLOUR: Texts.of(list(texts))})
    scores = scorer.scores(rows)
    assert np.isfinite(scores).all() and len(np.unique(scores[[0, 2, 3, 4]], axis=0)) == 1
