"""Performance before outcomes come: the band holds what comes out, and earlier errors widen it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from modelcycle.measured.metrics import measure_one
from modelcycle.messages import DayPerformance, Estimate, Monitored
from modelcycle.model.window import WindowSample
from modelcycle.monitor.estimate.estimate import estimate, estimate_signal
from modelcycle.monitor.performance.audit import estimate_error, estimates_by_day, widened
from modelcycle.spec import Monitoring

SAID = Estimate(metric="accuracy", value=0.9, low=0.88, high=0.92, method="confidence-based")
Array = npt.NDArray[Any]


def sigmoid(values: Array) -> Array:
    return 1 / (1 + np.exp(-values))


def window(seed: int, shift: float, rows: int = 1500, **changed: Any) -> tuple[WindowSample, Array]:
    """Return a binary window whose inputs have moved by `shift`, and the outcomes that come later.

    The model is too sure of itself, and knows one of two columns.
    """
    random = np.random.default_rng(seed)
    reference, live = random.normal(size=(1500, 3)), random.normal(size=(rows, 3)) + np.array([shift, 0, 0])
    outcomes = [
        (random.random(len(side)) < sigmoid(side[:, 0] + 0.5 * side[:, 1])).astype(int) for side in (reference, live)
    ]
    scores = [np.stack([1 - p, p], axis=1) for p in (sigmoid(2 * side[:, 0]) for side in (reference, live))]
    parts: dict[str, Any] = {
        "names": ["x", "y", "level"], "texts": np.array([False, False, True]),
        "reference": np.column_stack([reference[:, :2], random.integers(0, 300, 1500)]).astype(np.float32),
        "live": np.column_stack([live[:, :2], random.integers(0, 310, rows)]).astype(np.float32),
        "reference_scores": scores[0].astype(np.float32), "live_scores": scores[1].astype(np.float32),
        "target": outcomes[0].astype(np.float32),
    }  # fmt: skip
    return WindowSample(**(parts | changed)), outcomes[1]


def test_the_band_holds_what_comes_out_although_inputs_have_shifted() -> None:
    inside = 0
    for seed in range(10):
        sample, outcome = window(seed, shift=seed / 10, rows=800)
        said = estimate(sample, "binary", "accuracy", 0.5)
        realized = measure_one("accuracy", sample.live_scores, outcome, "binary")
        assert said is not None
        assert realized is not None
        inside += said.low <= realized <= said.high
        assert said.high - said.low < 0.12
    assert inside >= 8


def test_an_overconfident_model_is_not_taken_at_its_word() -> None:
    sample, outcome = window(0, shift=1.0)
    said = estimate(sample, "binary", "log_loss", 0.5)
    claimed = float(sample.live_scores.max(axis=1).mean())
    right = float((sample.live_scores.argmax(axis=1) == outcome).mean())
    accuracy = estimate(sample, "binary", "accuracy", 0.5)
    assert said is not None
    assert accuracy is not None
    assert abs(accuracy.value - right) < abs(claimed - right) / 2
    assert said.low < (measure_one("log_loss", sample.live_scores, outcome, "binary") or 0) < said.high


def test_the_loss_of_numbers_is_estimated_where_it_grows_with_a_column() -> None:
    inside = 0
    for seed in range(5):
        random = np.random.default_rng(seed)
        sides = [random.uniform(0, 1, 2000), random.uniform(0.5, 1, 1000)]  # the window has the noisier half
        errors = [random.normal(size=len(side)) * (0.5 + 2 * side) for side in sides]
        sample = WindowSample(
            ["x"], np.array([False]), sides[0][:, None].astype(np.float32), sides[1][:, None].astype(np.float32),
            np.zeros((2000, 1), dtype=np.float32), np.zeros((1000, 1), dtype=np.float32), errors[0].astype(np.float32),
        )  # fmt: skip
        said = estimate(sample, "regression", "rmse", 0.5)
        realized = float(np.sqrt(np.square(errors[1]).mean()))
        assert said is not None
        inside += said.low <= realized <= said.high
        assert said.value > float(np.sqrt(np.square(errors[0]).mean())) * 1.1
    assert inside >= 4


def test_equal_samples_give_equal_estimates() -> None:
    assert estimate(window(1, 0.5)[0], "binary", "roc_auc", 0.5) == estimate(
        window(1, 0.5)[0], "binary", "roc_auc", 0.5
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"target": np.zeros(1500, dtype=np.float32)},
        {"target": np.full(1500, np.nan, dtype=np.float32)},
        {"live": np.full((1500, 3), np.nan, dtype=np.float32)},
        {"live": np.full((1500, 3), np.inf, dtype=np.float32)},
        {"live_scores": np.full((1500, 2), np.nan, dtype=np.float32)},
        {"reference": np.full((1500, 3), 7, dtype=np.float32)},
        {"names": [], "texts": np.zeros(0, dtype=bool), "reference": np.zeros((1500, 0), dtype=np.float32),
         "live": np.zeros((1500, 0), dtype=np.float32)},
    ],
)  # fmt: skip
def test_a_window_that_says_nothing_gives_an_estimate_or_none(changed: dict[str, Any]) -> None:
    sample, _ = window(0, 0.0, **changed)
    for metric in ("accuracy", "roc_auc"):
        said = estimate(sample, "binary", metric, 0.5)
        assert said is None or 0 <= said.low <= said.value <= said.high <= 1


def test_three_classes_are_estimated() -> None:
    random = np.random.default_rng(0)
    scores = random.dirichlet([1, 1, 1], 3000).astype(np.float32)
    outcomes = np.array([random.choice(3, p=row / row.sum()) for row in scores.astype(float)])
    nothing = np.zeros((1500, 0), dtype=np.float32)
    sample = WindowSample([], np.zeros(0, dtype=bool), nothing, nothing, scores[:1500], scores[1500:],
                          outcomes[:1500].astype(np.float32))  # fmt: skip
    said = estimate(sample, "multiclass", "accuracy", 0.5)
    assert said is not None
    assert said.low <= float((scores[1500:].argmax(axis=1) == outcomes[1500:]).mean()) <= said.high


def test_an_estimated_loss_is_an_alarm_and_no_sample_is_told() -> None:
    limits, expected = Monitoring(), {"accuracy": 0.9}
    worse = SAID.model_copy(update={"value": 0.8, "low": 0.78, "high": 0.82})
    assert estimate_signal(worse, expected, (0.89, 0.91), "accuracy", limits).state == "alarm"
    assert estimate_signal(SAID, expected, (0.89, 0.91), "accuracy", limits, 0.02).state == "ok"
    assert estimate_signal(None, expected, (0.89, 0.91), "accuracy", limits).state == "not watched"
    assert estimate(None, "binary", "accuracy", 0.5) is None


def known_days(realized: list[float]) -> list[DayPerformance]:
    return [
        DayPerformance(day=f"2026-03-{number + 1:02d}", version=1, rows=500, labelled=500, estimated=SAID,
                       metrics={"accuracy": (value, value - 0.02, value + 0.02)})
        for number, value in enumerate(realized)
    ]  # fmt: skip


def test_earlier_errors_are_published_and_widen_the_band() -> None:
    off = known_days([0.84] * 8)
    assert estimate_error(off) == pytest.approx(0.06)
    wider = widened(SAID, off)
    assert wider is not None
    assert (wider.low, wider.high) == pytest.approx((0.84, 0.96))
    assert widened(SAID, known_days([0.9] * 8)) == SAID  # never narrower
    assert widened(SAID, off[:2]) == SAID
    assert estimate_error(off[:2]) is None
    assert estimate_error(off, version=2) is None
    assert (widened(SAID, known_days([0.2] * 8)) or SAID).high == 1.0


def test_the_estimate_of_a_day_is_that_of_the_window_that_covers_it_best() -> None:
    midnight = datetime(2026, 3, 3, tzinfo=UTC)
    reports = [
        Monitored(
            model="m", version=1, kind="day", window=(end - timedelta(days=1), end), rows=9, state="ok", drifted=[],
            degraded=False, estimate=SAID.model_copy(update={"value": value}),
        )
        for value, end in ((0.7, midnight - timedelta(hours=6)), (0.8, midnight), (0.9, midnight + timedelta(hours=6)))
    ]  # fmt: skip
    found = estimates_by_day(reversed(reports))
    assert found["2026-03-02", 1].value == 0.8
