"""Limits of fairness on numbers: differences and ratios of groups' means, and the worst mean absolute error."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cli.screens.fairness import fairness_text
from modelcycle.documents.outline import Table
from modelcycle.documents.quality_facts import group_tables
from modelcycle.faults import BadPipeline
from modelcycle.measured.mean_disparities import mean_disparity
from modelcycle.measured.units import Units
from modelcycle.model.columns import Texts
from modelcycle.model.scoring import Scores
from modelcycle.policy.figures import known_figures, unknown_figure
from modelcycle.spec import Fairness, parse
from modelcycle.validate.compared import JudgedRows, compare_models
from modelcycle.validate.fairness_gates import fairness_gates
from modelcycle.validate.fairness_price import price_of_fairness
from modelcycle.validate.fairness_report import FairnessReport, fairness_report
from modelcycle.validate.gates import Gate
from modelcycle.validate.limit_outcomes import FairnessVerdict
from modelcycle.validate.sensitive_groups import groupings
from tests.unit.learning_tables import lifecycle, table
from tests.unit.test_mitigation import run

REGION, GENDER = "Région (m²)", 'ge"schlecht'
Array = np.ndarray[Any, np.dtype[Any]]


def houses(sizes: list[int], seed: int = 0) -> tuple[Array, Array, np.random.Generator]:
    """Groups (n,), and prices (n,) of the same distribution in each, about 200 with a deviation of 40."""
    random = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return codes, random.normal(200, 40, len(codes)), random


def texts(codes: Array) -> Texts:
    return Texts(codes.astype(np.int32), [f"g{n}" for n in range(int(codes.max(initial=0)) + 1)])


def judged(
    predicted: Array, target: Array, groups: dict[str, Texts], units: Units | None = None, **settings: Any
) -> tuple[FairnessReport, FairnessVerdict]:
    fairness, found = Fairness(**settings), groupings(groups)
    report = fairness_report(
        predicted.reshape(-1, 1), target, "regression", [], found, units or Units(len(target)), 0.5, fairness
    )
    return report, fairness_gates(fairness, report.compared, found, report.means)


def test_figures_are_those_of_the_groups() -> None:
    codes, target, random = houses([300, 500, 400])
    predicted = target + random.normal(0, 10, len(codes)) + 3 * codes
    report, _ = judged(predicted, target, {REGION: texts(codes)})
    means = [predicted[codes == group].mean() for group in range(3)]
    absolute = [np.abs(predicted - target)[codes == group].mean() for group in range(3)]
    expected = {
        "mean_prediction.difference": max(means) - min(means), "mean_prediction.ratio": min(means) / max(means),
        "mae.difference": max(absolute) - min(absolute), "mae.ratio": min(absolute) / max(absolute),
        "mae.highest": max(absolute),
    }  # fmt: skip
    for name, value in expected.items():
        for suffix in ("", f":{REGION}"):
            figures = [report.figures[f"fairness.{name}{end}{suffix}"] for end in ("_low", "", "_high")]
            assert figures[1] == pytest.approx(value, abs=1e-9)
            assert figures[0] < figures[1] < figures[2]
    assert all(unknown_figure(name) is None for name in report.figures)
    assert "fairness.mean_error.ratio" not in {*report.figures, *known_figures()}


@pytest.mark.parametrize(
    ("limit", "sizes", "outcome"),
    [
        ({"mean_prediction_difference": 8}, [3000, 3000], "refused"),  # 15 apart
        ({"mean_prediction_difference": 40}, [3000, 3000], "holds"),
        ({"mean_prediction_difference": 16}, [300, 300], "ask"),  # the limit is within the interval
        ({"mean_prediction_ratio": 0.99}, [3000, 3000], "refused"),  # 200 of 215
        ({"mean_prediction_ratio": 0.8}, [3000, 3000], "holds"),
        ({"mean_error_difference": 12}, [300, 300], "refused"),
        ({"mean_error_difference": 20}, [300, 300], "holds"),
        ({"mean_error_difference": 15}, [300, 300], "ask"),
        ({"mean_error_difference": 12}, [3000, 40], "ask"),  # too few rows of a group
        ({"mae_ratio": 0.8}, [300, 300], "refused"),  # about 8 of 15
        ({"mae_ratio": 0.3}, [300, 300], "holds"),
        ({"group_mae": 12}, [300, 300], "refused"),
        ({"group_mae": 18}, [300, 300], "holds"),
        ({"group_mae": 15.2}, [300, 300], "ask"),
    ],
)
def test_a_limit_is_held_against_the_interval(limit: dict[str, float], sizes: list[int], outcome: str) -> None:
    codes, target, random = houses(sizes)
    predicted = target + random.normal(0, 10, len(codes)) + 15 * codes
    _, verdict = judged(predicted, target, {REGION: texts(codes)}, **limit)
    assert [gate.holds for gate in verdict.gates] == [outcome != "refused"]
    assert bool(verdict.ask) == (outcome == "ask")
    assert verdict.gates[0].name == f"fairness.{next(iter(limit))}"
    told = verdict.gates[0].detail
    if outcome == "refused":
        assert "g1" in told and "allowed; there is no mitigation for numbers" in told
        assert "all of it below" in told if "ratio" in verdict.gates[0].name else "all of it above" in told
    assert ("no two groups have" in told) == (40 in sizes)


@pytest.mark.parametrize(
    ("undecided", "holds", "asks"), [("ask", True, True), ("refuse", False, False), ("pass", True, False)]
)
def test_what_happens_to_an_undecided_limit_is_in_the_file(undecided: str, holds: bool, asks: bool) -> None:
    codes, target, random = houses([300, 300])
    predicted = target + random.normal(0, 10, 600) + 15 * codes
    _, verdict = judged(predicted, target, {REGION: texts(codes)}, mean_error_difference=15, undecided=undecided)
    assert verdict.gates[0].holds == holds and bool(verdict.ask) == asks
    assert "neither" in verdict.gates[0].detail


def test_every_limit_is_kept_by_equal_groups_as_often_as_stated() -> None:
    refused = 0
    for seed in range(60):
        codes, target, random = houses([60] * 8, seed)
        predicted = target + random.normal(0, 1, len(codes)) * np.exp(random.normal(0, 1, len(codes)))  # heavy tails
        _, verdict = judged(
            predicted, target, {REGION: texts(codes)}, mean_prediction_difference=1e-6, mean_error_difference=1e-6,
            mae_ratio=1, group_mae=math.exp(0.5) * math.sqrt(2 / math.pi),
        )  # fmt: skip
        refused += any(not gate.holds for gate in verdict.gates)
    assert refused <= 9  # four limits of 5 % each, on the edge: at most 20 % of 60 are expected


def test_limits_of_a_column_and_of_two_columns_together() -> None:
    codes, target, random = houses([1000, 1000])
    other = random.integers(0, 2, 2000)
    predicted = target + random.normal(0, 5, 2000) + np.where((codes == 1) & (other == 1), 20, 0)
    groups = {REGION: texts(codes), GENDER: texts(other)}
    _, verdict = judged(predicted, target, groups, mean_error_difference=15)
    assert any(f"{REGION} & {GENDER}" in gate.detail and not gate.holds for gate in verdict.gates)
    _, verdict = judged(predicted, target, groups, mean_error_difference=15, intersections=False)
    assert all(gate.holds for gate in verdict.gates)
    _, verdict = judged(predicted, target, groups, columns={GENDER: {"mean_error_difference": 5}})
    assert [gate.holds for gate in verdict.gates] == [False] and GENDER in verdict.gates[0].detail


def test_rows_that_belong_together_count_once_also_if_they_are_in_both_groups() -> None:
    codes, target, random = houses([300, 300])
    errors = random.normal(0, 10, 600)
    repeated = np.repeat(np.arange(600), 5)
    alone, _ = judged(target + errors, target, {REGION: texts(codes)})
    together, _ = judged(
        (target + errors)[repeated], target[repeated], {REGION: texts(codes[repeated])}, Units.of(3000, repeated)
    )

    def width(report: FairnessReport) -> float:
        return report.figures["fairness.mean_error.difference_high"] - report.figures["fairness.mean_error.difference"]

    assert width(together) == pytest.approx(width(alone), rel=0.1)
    shared = np.tile(np.arange(300), 2)  # each entity has a row in both groups, and the same error in both
    gap = mean_disparity(np.tile(errors[:300], 2), codes, [0, 1], Units.of(600, shared), 50)
    assert gap is not None and gap.difference.extreme.interval == (0.0, 0.0)


def test_minimum_rows_counts_below_fifty_too() -> None:
    codes, target, random = houses([300, 30])
    _, verdict = judged(
        target + random.normal(0, 5, 330) + 30 * codes, target, {REGION: texts(codes)}, mean_error_difference=5,
        minimum_rows=25,
    )  # fmt: skip
    assert not verdict.gates[0].holds


def test_means_around_zero_have_no_ratio_and_the_sentence_names_the_other_key() -> None:
    codes, target, random = houses([300, 300])
    predicted = random.normal(0, 40, 600)
    report, verdict = judged(predicted, target - 200, {REGION: texts(codes)}, mean_prediction_ratio=0.8)
    assert verdict.ask and "write mean_prediction_difference instead" in verdict.ask[0]
    assert "fairness.mean_prediction.ratio" not in report.figures
    _, verdict = judged(target, target, {REGION: texts(codes)}, mae_ratio=0.8, group_mae=5)
    assert [gate.holds for gate in verdict.gates] == [True, True]  # nothing is wrong: there is no ratio, and no error
    assert len(verdict.ask) == 1 and "is above zero beyond chance" in verdict.ask[0] and "instead" not in verdict.ask[0]


@pytest.mark.parametrize("codes", [np.zeros(0), np.zeros(1), np.zeros(500), np.arange(500), np.arange(500) % 2 - 1])
def test_columns_that_cannot_be_compared_are_told_and_never_refuse(codes: Array) -> None:
    target = np.linspace(0, 1, len(codes))
    report, verdict = judged(target, target, {REGION: texts(codes)}, mean_error_difference=0.1, group_mae=0.1)
    assert all(gate.holds for gate in verdict.gates)
    assert not len(codes) or verdict.ask
    assert all(math.isfinite(value) for value in report.figures.values())
    fairness_text(report.json)


def test_the_screen_shows_differences_and_ratios_and_what_a_deviation_is() -> None:
    codes, target, _ = houses([3000, 3000])
    report, _ = judged(target * 1000 + 15_000 * codes, target * 1000, {REGION: texts(codes)})
    shown = fairness_text(report.json)
    assert "mean absolute error" in shown and "difference" in shown and "ratio" in shown
    assert "one standard deviation of the target is 39,825" in shown


def test_the_card_has_the_means_of_the_groups() -> None:
    codes, target, _ = houses([3000, 3000])
    report, _ = judged(target + 15 * codes, target, {REGION: texts(codes)})
    made: Any = SimpleNamespace(
        pipeline=SimpleNamespace(sensitive_columns=[REGION]), engineer_features=SimpleNamespace(proxies=[]),
        report={"groups": {REGION: {"groups": {"g0": {"rows": 3000.0, "mean_error": 0.0}}}}, "fairness": report.json},
    )  # fmt: skip
    tables = [part for part in group_tables(made) if isinstance(part, Table)]
    rows = {row[1]: row for row in tables[-1].rows}
    assert set(rows) == {"mean prediction", "mean error", "mean absolute error"}
    assert rows["mean error"][2:4] == ["g0: 0", "g1: 15"] and rows["mean error"][-1] == ""
    assert rows["mean prediction"][-1].startswith("0.9")


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("task: regression\nfairness: {demographic_parity: 0.8}", "demographic_parity is for classes"),
        ("task: binary\nfairness: {mae_ratio: 0.8}", "mae_ratio is for numbers, and this task is binary"),
        ("task: regression\nfairness: {columns: {sex: {equalized_odds: 0.1}}}", "equalized_odds is for classes"),
        ("task: regression\nfairness: {mitigate: reweighing}", "there is no mitigation for numbers"),
        ("fairness: {mae_ratio: 1.25}", "less than or equal to 1"),
        ("fairness: {mean_error_difference: -1}", "greater than 0"),
        ("fairness: {mean_error_diference: 1}", "did you mean mean_error_difference?"),
    ],
)
def test_mistakes_are_told_with_their_line(section: str, told: str) -> None:
    with pytest.raises(BadPipeline) as problem:
        parse(f"name: m\ntarget: y\nsensitive_columns: [sex]\n{section}\n", "m.yaml")
    assert told in str(problem.value) and "m.yaml, line" in str(problem.value)


def test_a_limit_that_the_found_task_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(BadPipeline, match="mae_ratio is for numbers, and this task is multiclass"):
        Fairness(mae_ratio=0.8).check("multiclass")
    with pytest.raises(BadPipeline) as problem:
        Fairness(columns={"sex": {"demographic_parity": 0.8}}).check("regression")
    assert "fairness.columns.sex.demographic_parity" in str(problem.value)
    Fairness(mae_ratio=0.8, group_mae=3).check("regression")


def test_a_regression_that_overestimates_a_group_is_refused_and_its_report_is_complete() -> None:
    random = np.random.default_rng(0)
    gender, size = random.choice(["m", 'ü"'], 1200), random.normal(0, 1, 1200)
    pay = 3000 + 200 * size + np.where(gender == "m", 300, 0) + random.normal(0, 50, 1200)
    data = table(
        {"size": size.tolist(), "noise": random.normal(0, 1, 1200).tolist(), GENDER: gender.tolist(),
         "pay": pay.tolist()}, "pay", "regression", [],
    )  # fmt: skip
    life = lifecycle(
        data, sensitive_columns=[GENDER], task="regression", fairness={"mean_error_difference": 100},
        training={"trials": 1, "algorithms": ["linear"]}, features={"derive": False},
    )  # fmt: skip
    _, _, validated, report, _ = run(life)
    assert validated.verdict == "refused"
    (reason,) = [one for one in validated.reasons if one.startswith(GENDER)]
    assert "mean error" in reason and "100 is" not in reason and "all of it above 100, the highest allowed" in reason
    assert validated.figures["fairness.mean_error.difference_low"] > 200
    assert set(report["fairness"]["gaps"][GENDER]) == {"mean_prediction", "mean_error", "mae"}
    assert report["groups"][GENDER]["groups"]["m"]["mean_error"] < -100


def test_a_candidate_that_is_worse_because_it_is_fair_waits_for_a_person() -> None:
    codes, target, random = houses([500, 500])
    fair = (target + random.normal(0, 15, 1000))[:, None].astype(np.float32)
    unfair = (target + random.normal(0, 3, 1000) + 12 * codes)[:, None].astype(np.float32)
    rows = JudgedRows(
        task="regression", classes=[], target=target, scores=Scores(fair, {REGION: texts(codes)}), units=Units(1000),
        threshold=0.5, baseline={},
    )  # fmt: skip
    champion = compare_models("version 3", rows, np.arange(1000), unfair, "rmse", 0.5)
    lost = Gate("gates.margin", False, "version 3: significantly worse")
    priced = price_of_fairness([lost], champion, 3, rows, Fairness(mean_error_difference=5))
    assert all(gate.holds for gate in priced.gates)
    (why,) = priced.ask
    assert why.startswith("version 3 breaks a limit that this model keeps (Région (m²): mean error")
    assert "mitigation" not in why and why.endswith("what that costs: version 3: significantly worse")
    assert price_of_fairness([lost], champion, 3, rows, Fairness(mean_error_difference=30)).gates == [lost]
