"""The shape of `bench/verdicts.py`: how often verdicts are wrong, with few runs."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

from bench.in_memory import Lifecycle
from bench.verdicts import (
    BAD_WRITERS,
    FAST,
    MODES,
    OTHER_WRITERS,
    Line,
    bad_uploads,
    creep,
    csv_text,
    equal_recipes,
    few_positives,
    interval_coverage,
    loans,
)


def test_creeping_loss_is_stopped_and_equal_recipes_are_not() -> None:
    fallen, refused = creep(40)
    assert fallen.hits <= 4 and refused.hits / refused.runs <= 0.06


@pytest.mark.long
def test_the_intervals_of_rmse_hold_the_truth_under_normal_and_lognormal_errors() -> None:
    for line in islice(interval_coverage(50), 8):  # 50 and 200 rows
        assert line.hits >= 41, line


def test_two_models_of_one_recipe_are_seldom_told_apart() -> None:
    for line in equal_recipes(60):
        assert line.hits <= 9, line


def test_a_line_says_whether_it_is_as_wanted() -> None:
    assert str(Line("a", 5, 100, 0.03, 0.07)).endswith("as wanted") and "5.0%" in str(Line("a", 5, 100, 0.03, 0.07))
    assert str(Line("a", 1, 30, 0, 0)).endswith("NOT AS WANTED")
    assert set(MODES) == {"equal", "bad-uploads", "better", "intervals", "creep"}


@pytest.mark.long
def test_a_bad_upload_does_not_replace_the_champion() -> None:
    lines = list(bad_uploads(3))
    assert [line.runs for line in lines] == [1] * len(BAD_WRITERS)
    assert all(line.hits == 0 for line in lines)


def test_the_bench_writes_the_same_rows_otherwise() -> None:
    rows = loans(np.random.default_rng(0), 30)
    texts = {name: write(rows) for name, write in OTHER_WRITERS.items()}
    assert all(len(text.splitlines()) == 31 for text in texts.values())
    assert len({*texts.values(), csv_text(rows)}) == len(texts)  # "a column added" is the file as it is


def test_a_better_model_in_memory_goes_live_and_a_copy_goes_on_alone() -> None:
    rows = loans(np.random.default_rng(0), 1500)
    settings: dict[str, Any] = {"target": "status", "training": {"trials": 1, "algorithms": ["linear"]}}
    lifecycle = Lifecycle("loans")
    lifecycle.upload("all.csv", csv_text(rows))
    assert lifecycle.run(**settings, drop_columns=["rating", "debt"]).outcome == "deployed"
    copy = lifecycle.copy()
    end = copy.run(**settings)
    assert (end.outcome, copy.champion, lifecycle.champion) == ("deployed", 2, 1), end.reasons


@pytest.mark.long
@pytest.mark.parametrize("change", ["labels swapped", "target in another unit"])
@pytest.mark.parametrize(
    ("uncompared", "outcome"), [("ask", "awaiting_approval"), ("refuse", "refused"), ("pass", "deployed")]
)
def test_a_champion_that_is_worse_than_no_model_shows_that_the_data_changed(
    change: str, uncompared: str, outcome: str
) -> None:
    rows, later = (loans(np.random.default_rng(seed), 1500) for seed in (0, 1))
    target = "status" if change == "labels swapped" else "debt"
    if target == "debt":
        for table in (rows, later):
            table["debt"] = [income / 2 + age for income, age in zip(table["income"], table["age"], strict=True)]
        later["debt"] = [value * 1000 for value in later["debt"]]
    else:
        later["status"] = ["ok" if name == "default" else "default" for name in later["status"]]
    lifecycle = Lifecycle("loans")
    lifecycle.upload("all.csv", csv_text(rows))
    settings = FAST | {"target": target, "gates": {"uncompared": uncompared}}
    if uncompared == "pass":  # the contract would ask as well
        settings |= {"schema": {"levels": {"unit": "warn", "range": "warn"}}}
    assert lifecycle.run(**settings).outcome == "deployed"
    lifecycle.upload("all.csv", csv_text(later))
    end = lifecycle.run(**settings)
    assert end.outcome == outcome, end.reasons
    said = "; ".join(end.reasons)
    if change == "labels swapped":
        assert "version 1 is worse than no model on these rows: " in said
        assert " without a model: labels, units or columns may have changed" in said
    else:  # seen before the models are compared
        assert "not compared with version 1: debt, the target: the middle half of the values is " in said


def test_rarely_positive_rows_give_a_wide_interval() -> None:
    for line in few_positives(200):
        assert line.hits >= 180, line
