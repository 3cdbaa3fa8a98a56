"""ONNX and scikit-learn agree on every row, or the run ends; then candidate and champion score the test rows."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from modelcycle.faults import ParityBroken
from modelcycle.messages import ScoredCandidate
from modelcycle.model.columns import Column, Columns, Texts
from modelcycle.model.scoring import Scorer, Scores, decide
from modelcycle.registry import Registry
from modelcycle.score_candidate import score_candidate
from modelcycle.score_candidate.groups import MOST_GROUPS, OTHER, groups
from modelcycle.score_candidate.parity import TOLERANCE, hold_together
from modelcycle.spec import Task
from tests.fakes import MemoryStore, MemoryTable
from tests.trained import COLOUR, HOURS, SEX, Cycle, Trained, cycle, train

TASKS: list[Task] = ["binary", "multiclass", "regression"]


def begun(trained: Trained, **pipeline: Any) -> Cycle:
    return cycle(trained, MemoryStore(), Registry(MemoryTable()), **pipeline)


def scored(cycle: Cycle, code: str = "c") -> ScoredCandidate:
    return score_candidate(cycle.score_candidate, artifacts=cycle.store, registry=cycle.registry, code=code)


@pytest.mark.parametrize("task", TASKS)
def test_a_sound_export_agrees_on_validation_rows_and_probes(task: Task) -> None:
    here = begun(train(task))
    result = scored(here)
    assert result.rows == 404 and result.max_difference < 1e-5 and result.champion is None
    kept = Scores.from_bytes(here.store.read(result.scores))
    assert kept.scores.shape == (600, max(1, len(here.trained.signature.classes)))
    assert kept.groups[SEX].levels == ["Female", "Male"] and len(kept.groups[SEX]) == 600


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("part", ["validation", "probes"])
def test_one_row_that_differs_breaks_parity(task: Task, part: str) -> None:
    trained = train(task)
    reference = {name: scores.copy() for name, scores in trained.reference.items()}
    reference[part][2, 0] += 0.5 * (10 if task == "regression" else 1)
    with pytest.raises(ParityBroken, match=rf"1 of \d+ {part} rows differ"):
        scored(begun(dataclasses.replace(trained, reference=reference)))


def test_a_score_that_is_no_number_breaks_parity() -> None:
    expected, got = np.array([[0.5, 0.5]]), np.array([[np.nan, 0.5]])
    with pytest.raises(ParityBroken, match="without a finite score"):
        hold_together([("validation", expected, got)], "binary", 1.0, "linear")


def test_a_row_on_the_threshold_may_flip_within_the_tolerance_and_is_counted() -> None:
    expected = np.array([[0.5, 0.5], [0.9, 0.1]])
    got = np.array([[0.50001, 0.49999], [0.9, 0.1]])
    assert hold_together([("validation", expected, got)], "binary", 1.0, "linear").flips == 1
    with pytest.raises(ParityBroken):
        hold_together([("validation", expected, got + np.array([2 * TOLERANCE, 0]))], "binary", 1.0, "linear")


def test_values_are_held_together_in_units_of_the_targets_spread() -> None:
    expected, got = np.array([[1e6], [2e6]]), np.array([[1e6 + 10], [2e6]])
    assert hold_together([("validation", expected, got)], "regression", 5e5, "linear").max_difference == pytest.approx(
        2e-5
    )
    with pytest.raises(ParityBroken):
        hold_together([("validation", expected, got)], "regression", 1e4, "linear")


def test_the_champion_scores_the_same_rows() -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    version = cycle(train("binary", seed=50), store, registry, "r0").go_live()
    here = cycle(train("binary"), store, registry, "r1")
    result = scored(here)
    assert result.champion == version.version and result.champion_scores is not None
    theirs = Scores.from_bytes(store.read(result.champion_scores)).scores
    assert theirs.shape == (600, 2) and not np.array_equal(theirs, Scores.from_bytes(store.read(result.scores)).scores)


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_a_champion_of_another_question_is_named_but_not_scored(task: Task) -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    cycle(train(task), store, registry, "r0").go_live()
    result = scored(cycle(train("binary"), store, registry, "r1"))
    assert result.champion == 1 and result.champion_scores is None


def test_a_champion_whose_column_is_gone_is_not_scored() -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    trained = train("binary")
    cycle(trained, store, registry, "r0").go_live()
    test = Columns({n: v for n, v in trained.test.values.items() if n != COLOUR}, trained.test.target)
    signature = trained.signature.model_copy(update={"inputs": []})
    from modelcycle.score_candidate.score import _champion

    assert _champion(registry.versions.get("odd-names", 1), signature, test, store) is None


def test_the_positive_class_may_have_changed_since_the_champion() -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    trained = train("binary")
    cycle(trained, store, registry, "r0").go_live()
    turned = trained.signature.model_copy(update={"classes": ["yes", "no"]})
    from modelcycle.score_candidate.score import _champion

    theirs = _champion(registry.versions.get("odd-names", 1), turned, trained.test, store)
    own = Scorer(trained.signature, trained.onnx).scores(trained.test)
    np.testing.assert_array_equal(theirs, own[:, ::-1])


def test_delivered_twice_the_step_takes_its_first_result_over() -> None:
    here = begun(train("binary"))
    first, second = scored(here), scored(here)
    assert not first.cached and second == first.model_copy(update={"cached": True})


def test_a_run_keeps_the_champion_that_it_met_first_and_another_run_meets_its_own() -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    here = cycle(train("binary"), store, registry, "r1")
    first = scored(here)
    cycle(train("binary", seed=50), store, registry, "r0").go_live()
    assert first.champion is None and scored(here) == first.model_copy(update={"cached": True})
    other = scored(cycle(train("binary"), store, registry, "r2"))
    assert other.champion == 1 and not other.cached


def test_many_rows_are_scored_in_batches_and_alike() -> None:
    trained = train("binary")
    scorer = Scorer(trained.signature, trained.onnx)
    many = trained.train.take(np.tile(np.arange(1500), 6))
    np.testing.assert_array_equal(scorer.scores(many)[-1500:], scorer.scores(trained.train))
    assert scorer.scores(many.take(np.array([], dtype=int))).shape == (0, 2)


def test_a_decision_is_a_class_or_a_short_number() -> None:
    binary, value = train("binary").signature, train("regression").signature
    assert decide(np.array([[0.5, 0.5], [0.6, 0.4]], dtype=np.float32), binary) == ["yes", "no"]
    assert decide(np.array([[0.1]], dtype=np.float32), value) == [0.1]


def test_groups_of_every_type_of_column() -> None:
    columns = Columns({
        "n": np.array([1, 2, np.nan, 2], dtype=np.float32), "b": np.array([1, 0, np.nan, 1], dtype=np.float32),
        "age": np.arange(4, dtype=np.float32), "d": np.array([0, 86400 * 400, np.nan, 0], dtype=np.float64),
    })  # fmt: skip
    wide = Columns({"age": np.arange(100, dtype=np.float32), "t": Texts.of([f"t{n % 40}" for n in range(100)])})
    found = groups(columns, [Column(name="n", type="number"), Column(name="b", type="boolean"),
                             Column(name="d", type="datetime"), Column(name="gone", type="text")])  # fmt: skip
    assert found["n"].strings("-").tolist() == ["1", "2", "-", "2"]
    assert found["b"].strings("-").tolist() == ["true", "false", "-", "true"]
    assert found["d"].codes[2] == -1 and "gone" not in found
    banded = groups(wide, [Column(name="age", type="number"), Column(name="t", type="text")])
    assert len(banded["age"].levels) == 4 and set(np.bincount(banded["age"].codes)) == {25}
    assert len(banded["t"].levels) == MOST_GROUPS and banded["t"].levels[-1] == OTHER


def test_unseen_and_odd_texts_are_scored_like_any_unknown() -> None:
    trained = train("binary")
    scorer = Scorer(trained.signature, trained.onnx)
    texts = ["\x00", "red\x00", "日本", "x" * 100_000, "=1+1"]
    rows = Columns({HOURS: np.full(5, 40, dtype=np.float32), COLOUR: Texts.of(list(texts))})
    scores = scorer.scores(rows)
    assert np.isfinite(scores).all() and len(np.unique(scores[[0, 2, 3, 4]], axis=0)) == 1
