"""The candidate has to hold its own on the rows that came after those of the champion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from modelcycle.measured.units import Units
from modelcycle.messages import ScoredCandidate, Trigger
from modelcycle.model.scoring import Scores
from modelcycle.registry import Registry
from modelcycle.validate import validate
from modelcycle.validate.compared import JudgedRows, compare_models
from modelcycle.validate.new_rows import NewRows, compare_on_new_rows
from tests.fakes import MemoryStore, MemoryTable
from tests.trained import cycle, train

ROWS, NEW = 4000, 600
Array = npt.NDArray[np.float64]


def probabilities(positive: Array) -> Array:
    return np.column_stack([1 - positive, positive])


def on_new_rows(
    own: Array, other: Array, *, new: int = NEW, margin: float = 0.02, clusters: npt.NDArray[np.int32] | None = None,
    must_win: bool = False,
) -> NewRows | None:  # fmt: skip
    """Compare the certainty in the right class by the candidate and by the champion, of the newest rows."""
    target = np.arange(ROWS) % 2
    scores, champion = (
        probabilities(np.where(target == 1, certainty, 1 - certainty)) for certainty in (own, other)
    )  # fmt: skip
    rows = JudgedRows(
        "binary", ["no", "yes"], target, Scores(scores.astype(np.float32)), Units.of(ROWS, clusters), 0.5, {}
    )
    compared = compare_models("version 3", rows, np.arange(ROWS), champion, "accuracy", 0.5)
    return compare_on_new_rows(rows, compared, np.arange(ROWS) >= ROWS - new, margin, "accuracy", 3, must_win=must_win)


def certainty(old: float, new: float, seed: int = 0) -> Array:
    mean = np.where(np.arange(ROWS) >= ROWS - NEW, new, old)
    return np.clip(mean + np.random.default_rng(seed).normal(scale=0.15, size=ROWS), 0.01, 0.99)


def test_a_candidate_that_wins_on_old_rows_and_loses_on_new_ones_is_refused() -> None:
    found = on_new_rows(certainty(0.80, 0.55), certainty(0.75, 0.70, seed=1))
    assert found is not None and not found.gate.holds
    assert found.compared.rows == NEW
    assert found.gate.detail.startswith("version 3 on the 600 new ones of these rows: accuracy 0.883")
    assert "this model 0.6" in found.gate.detail and "significantly worse" in found.gate.detail


def test_a_candidate_that_is_as_good_on_new_rows_passes() -> None:
    found = on_new_rows(certainty(0.75, 0.7), certainty(0.75, 0.7, seed=2))
    assert found is not None and found.gate.holds and "not significantly worse" in found.gate.detail


def test_a_small_loss_is_no_reason_to_refuse() -> None:
    own = certainty(0.75, 0.7)
    found = on_new_rows(own - 0.001, own, margin=0.05)
    assert found is not None and found.gate.holds
    assert "worse by less than gates.margin (5.0%)" in found.gate.detail


@pytest.mark.parametrize(("new", "clusters"), [(29, None), (ROWS, None), (0, None), (NEW, np.full(ROWS, 1, np.int32))])
def test_too_few_new_rows_or_only_new_ones_are_not_compared_apart(
    new: int, clusters: npt.NDArray[np.int32] | None
) -> None:
    assert on_new_rows(certainty(0.8, 0.5), certainty(0.7, 0.7), new=new, clusters=clusters) is None


def test_a_run_that_live_rows_asked_for_has_to_be_better_on_them() -> None:
    as_good = on_new_rows(certainty(0.75, 0.7), certainty(0.75, 0.7, seed=2), must_win=True)
    assert as_good is not None and not as_good.gate.holds
    assert "not significantly better" in as_good.gate.detail and "asked for has to be" in as_good.gate.detail
    only_on_old = on_new_rows(certainty(0.9, 0.7), certainty(0.6, 0.7, seed=2), must_win=True)
    assert only_on_old is not None and not only_on_old.gate.holds
    better = on_new_rows(certainty(0.7, 0.75), certainty(0.75, 0.6, seed=2), must_win=True)
    assert better is not None and better.gate.holds and better.compared.rows == NEW
    assert better.gate.detail.startswith("version 3 on the 600 new ones of these rows: accuracy")


@pytest.mark.parametrize(("new", "told"), [(ROWS, "all are new"), (29, "29 of them are new, too few"), (0, "0 of")])
def test_if_new_rows_cannot_be_told_apart_it_has_to_be_better_on_all(new: int, told: str) -> None:
    equal, better = certainty(0.75, 0.75), certainty(0.8, 0.8, seed=2)
    for own, holds in ((equal, False), (better, True)):
        found = on_new_rows(own, certainty(0.75, 0.75, seed=1), new=new, must_win=True)
        assert found is not None and found.gate.holds == holds and found.compared.rows == ROWS
        assert found.gate.detail.startswith(f"version 3 on the 4,000 compared rows ({told}")


@pytest.mark.parametrize("kind", ["degraded", "outcomes", "schedule", "request"])
def test_the_trigger_of_the_run_says_whether_it_has_to_win(kind: str) -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    live = cycle(train("binary", seed=50), store, registry, "r0").go_live()
    run = cycle(train("binary"), store, registry, "r1")
    run = replace(run, run=run.run.model_copy(update={"trigger": Trigger.model_validate({"kind": kind})}))
    target = run.trained.test.target
    assert target is not None
    positive = np.where(target == 1, 0.8, 0.2)
    for champion, wins in ((positive, False), (np.where(target == 1, 0.7, 0.3), True)):
        scored = ScoredCandidate(
            scores=store.put(f"scores-{wins}", Scores(probabilities(positive)).to_bytes()),
            champion_scores=store.put(f"champion-{wins}", Scores(probabilities(champion)).to_bytes()),
            champion=live.version, rows=len(target), max_difference=0.0, flips=0,
        )  # fmt: skip
        result = validate(run.validate(scored), artifacts=store, registry=registry, code="c")
        refused = kind in ("degraded", "outcomes") and not wins
        assert (result.verdict == "refused") == refused, result.reasons
        assert any("has to be" in reason for reason in result.reasons) == refused


def test_equal_models_are_seldom_told_apart_on_new_rows() -> None:
    refused = 0
    for seed in range(40):
        found = on_new_rows(certainty(0.75, 0.7, seed), certainty(0.75, 0.7, seed + 1000))
        refused += found is not None and not found.gate.holds
    assert refused <= 4  # 2.5 % are one; five and more have a probability of 0.3 %
