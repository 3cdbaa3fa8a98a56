"""Whether more rows would help: the held-out loss with a quarter, half and all of the rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cli.screens.verdict import verdict_text
from modelcycle.messages import SelectedModel
from tests.unit.learning_tables import Lifecycle, lifecycle, table


def selected(run: Lifecycle) -> SelectedModel:
    model: SelectedModel = run.train(run.engineer())[1]
    return model


def steps(rows: int) -> Lifecycle:
    """A target of many steps: each is learned from its own rows, so more rows help for long."""
    random = np.random.default_rng(0)
    x, z = random.uniform(0, 40, rows), random.uniform(0, 40, rows)
    heights = random.normal(0, 3, (40, 40))
    y = heights[x.astype(int), z.astype(int)] + random.normal(0, 0.3, rows)
    training = {"trials": 1, "algorithms": ["hist_gradient_boosting"]}
    return lifecycle(table({"x": x.tolist(), "z": z.tolist(), "y": y.tolist()}, "y", "regression"), training=training)


def coin(rows: int) -> Lifecycle:
    random = np.random.default_rng(0)
    raw: dict[str, list[Any]] = {
        "x": random.normal(size=rows).tolist(), "y": random.choice(["a", "b"], rows).tolist(),
    }  # fmt: skip
    return lifecycle(table(raw, "y", "binary"), training={"trials": 1, "algorithms": ["linear"]})


def test_more_rows_help_where_each_row_tells_something_new() -> None:
    curve = selected(steps(4000)).learning_curve
    assert curve is not None
    assert curve.helps
    losses = [point.loss for point in curve.points]
    assert losses[0] > losses[1] > losses[2]
    rows = [point.rows for point in curve.points]
    assert rows == [rows[2] // 4, rows[2] // 2, rows[2]]


def test_more_rows_of_a_coin_do_not_help() -> None:
    curve = selected(coin(3000)).learning_curve
    assert curve is not None
    assert not curve.helps


def test_a_slow_trial_and_a_small_table_have_no_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    assert selected(coin(200)).learning_curve is None
    monkeypatch.setattr("modelcycle.train.learning_curve.MAX_TRIAL_SECONDS", 0.0)
    assert selected(coin(3000)).learning_curve is None


@pytest.mark.parametrize(("helps", "word"), [(True, "still"), (False, "hardly")])
def test_the_screen_says_it_in_one_line(helps: bool, word: str) -> None:
    points = [{"rows": 25, "loss": 0.33}, {"rows": 50, "loss": 0.301}, {"rows": 1000, "loss": 0.289}]
    text = verdict_text({"evidence": {"learning_curve": {"points": points, "helps": helps}}})
    told = f"with 50 rows the held-out loss was 0.301, with 1,000 it is 0.289: more rows would {word} help"
    assert [line.strip() for line in text.splitlines() if line] == [told]
