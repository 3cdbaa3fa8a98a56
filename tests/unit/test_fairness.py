"""Rates of groups, how far they are apart beyond chance, and what the limits of the pipeline file make of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from fairlearn import metrics as fl
from sklearn.metrics import precision_score

from cli.screens.fairness import fairness_text
from modelcycle.cells.column import Column
from modelcycle.faults import BadPipeline
from modelcycle.measured.disparities import disparities
from modelcycle.measured.units import Units
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.row_groups import column_groups, sensitive_groups
from modelcycle.spec import Fairness, Pipeline, parse
from modelcycle.validate.fairness import group_metrics
from modelcycle.validate.fairness_gates import FairnessVerdict, fairness_gates
from modelcycle.validate.fairness_report import FairnessReport, fairness_report
from modelcycle.validate.sensitive_groups import groupings

SEX, RACE = 'sé"x.', "race & more"
CLASSES = ["no", "yes"]


def draw(rates: list[float], sizes: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Whether each row is selected (n,), and its group."""
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(seed).random(len(codes)) < np.array(rates)[codes], codes


def texts(codes: np.ndarray, names: list[str] | None = None) -> Texts:
    return Texts(codes.astype(np.int32), names or [f"g{n}" for n in range(int(codes.max()) + 1)])


def scores_of(selected: np.ndarray) -> np.ndarray:
    positive = np.where(selected, 0.75, 0.25).astype(np.float32)
    return np.column_stack([1 - positive, positive])


def reported(
    selected: np.ndarray, groups: dict[str, Texts], target: np.ndarray | None = None, units: Units | None = None,
    **settings: Any,
) -> tuple[FairnessReport, FairnessVerdict]:  # fmt: skip
    target = np.arange(len(selected)) % 2 if target is None else target
    fairness, found = Fairness(**settings), groupings(groups)
    report = fairness_report(
        scores_of(selected), target, "binary", CLASSES, found, units or Units(len(selected)), 0.5, fairness
    )
    return report, fairness_gates(fairness, report.compared, found)


def test_figures_are_those_of_fairlearn() -> None:
    random = np.random.default_rng(3)
    n = 6000
    sex, race = random.integers(0, 2, n), random.choice(4, n, p=[0.5, 0.2, 0.2, 0.1])
    target = (random.random(n) < 0.3 + 0.2 * sex).astype(int)
    selected = random.random(n) < 0.2 + 0.3 * target + 0.1 * sex + 0.03 * race
    groups = {SEX: texts(sex, ["é'", 'b"']), RACE: texts(race)}
    report, _ = reported(selected, groups, target)
    for column, codes in ((SEX, sex), (RACE, race)):
        theirs = {"sensitive_features": codes}
        figures = {name: value for name, value in report.figures.items() if name.endswith(f":{column}")}
        of = {
            f"fairness.selection_rate.ratio:{column}": fl.demographic_parity_ratio,
            f"fairness.selection_rate.difference:{column}": fl.demographic_parity_difference,
        }
        for name, function in of.items():
            assert figures[name] == pytest.approx(function(target, selected, **theirs), abs=1e-9)
        for kind, odds in (("difference", fl.equalized_odds_difference), ("ratio", fl.equalized_odds_ratio)):
            worst = (max if kind == "difference" else min)(
                figures[f"fairness.{r}.{kind}:{column}"] for r in ("tpr", "fpr")
            )
            assert worst == pytest.approx(odds(target, selected, **theirs), abs=1e-9)
        precision = fl.MetricFrame(metrics=precision_score, y_true=target, y_pred=selected, **theirs)
        assert figures[f"fairness.precision.ratio:{column}"] == pytest.approx(precision.ratio(), abs=1e-9)
    both = fl.demographic_parity_ratio(target, selected, sensitive_features=np.column_stack([sex, race]))
    assert report.figures["fairness.selection_rate.ratio"] == pytest.approx(both, abs=1e-9)
    rates = group_metrics(scores_of(selected), target, "binary", groupings(groups))[f"{SEX} & {RACE}"]["groups"]
    by_group = {entry["group"]: entry for entry in report.json["groupings"][f"{SEX} & {RACE}"]["groups"]}
    for name, entry in by_group.items():
        for mine, theirs_name in (("selection_rate", "selection_rate"), ("tpr", "true_positive_rate"),
                                  ("fpr", "false_positive_rate"), ("precision", "precision")):  # fmt: skip
            assert entry[mine]["value"] == pytest.approx(rates[name][theirs_name], abs=1e-9)
            assert entry[mine]["low"] < entry[mine]["value"] < entry[mine]["high"]


@pytest.mark.parametrize(
    ("rates", "sizes", "outcome"),
    [
        ([0.1, 0.3], [800, 800], "refused"),
        ([0.3, 0.3], [6000, 6000], "holds"),
        ([0.25, 0.3], [300, 300], "ask"),  # the limit is within the interval
        ([0.25] * 10, [60] * 10, "ask"),  # by chance alone the ratio of the extremes is about 0.4
        ([0.1, 0.3], [800, 49], "ask"),  # too few rows of a group
    ],
)
def test_a_limit_is_held_against_the_interval(rates: list[float], sizes: list[int], outcome: str) -> None:
    selected, codes = draw(rates, sizes)
    _, verdict = reported(selected, {SEX: texts(codes)}, demographic_parity=0.8)
    assert [gate.holds for gate in verdict.gates] == [outcome != "refused"]
    assert bool(verdict.ask) == (outcome == "ask")
    if outcome == "refused":
        told = verdict.gates[0].detail
        assert "g0" in told and "g1" in told and "below 0.8" in told and "fairness.mitigate" in told


@pytest.mark.parametrize(
    ("undecided", "holds", "asks"), [("ask", True, True), ("refuse", False, False), ("pass", True, False)]
)
def test_what_happens_to_an_undecided_limit_is_in_the_file(undecided: str, holds: bool, asks: bool) -> None:
    selected, codes = draw([0.25, 0.3], [300, 300])
    _, verdict = reported(selected, {SEX: texts(codes)}, demographic_parity=0.8, undecided=undecided)
    assert verdict.gates[0].holds == holds and bool(verdict.ask) == asks
    assert "neither" in verdict.gates[0].detail


def test_equalized_odds_are_judged_by_both_rates() -> None:
    target = np.tile([0, 1], 2000)
    codes = np.repeat([0, 1], 2000)
    selected = np.where(codes == 1, target == 1, (target == 1) & (np.arange(4000) % 4 < 2))
    report, verdict = reported(selected, {SEX: texts(codes)}, target, equalized_odds=0.1)
    assert [gate.holds for gate in verdict.gates] == [False] and "true positive rate" in verdict.gates[0].detail
    assert report.figures["fairness.equalized_odds.difference"] == pytest.approx(0.5)
    _, verdict = reported(target == 1, {SEX: texts(codes)}, target, equalized_odds=0.1)
    assert [gate.holds for gate in verdict.gates] == [True]


def test_a_column_may_have_limits_of_its_own() -> None:
    selected, codes = draw([0.15, 0.3], [2000, 2000])
    other = texts(np.arange(4000) % 2)
    groups = {SEX: texts(codes), RACE: other}
    _, verdict = reported(selected, groups, demographic_parity=0.9, columns={SEX: {}}, intersections=False)
    assert all(gate.holds for gate in verdict.gates)
    _, verdict = reported(selected, groups, columns={SEX: {"demographic_parity": 0.8}})
    assert [gate.holds for gate in verdict.gates] == [False]
    _, verdict = reported(selected, groups, demographic_parity=0.9)
    assert any(SEX in gate.detail and RACE in gate.detail for gate in verdict.gates)  # of both together


def test_intervals_hold_for_all_pairs_of_equal_groups() -> None:
    missed = 0
    for seed in range(60):
        selected, codes = draw([0.3] * 6, [150] * 6, seed)
        found = disparities(selected.astype(int), codes, list(range(6)), Units(900), 50)
        (parity,) = [one for one in found if one.rate == "selection_rate"]
        missed += not parity.ratio.interval[1] >= 1.0 or parity.difference.interval[0] > 0
    assert missed <= 8  # 5 % are expected; 9 of 60 would be 15 %


def test_rows_that_belong_together_count_once() -> None:
    selected, codes = draw([0.2, 0.3], [300, 300])
    alone, _ = reported(selected, {SEX: texts(codes)})
    repeated = np.repeat(np.arange(600), 5)
    together, _ = reported(selected[repeated], {SEX: texts(codes[repeated])}, units=Units.of(3000, repeated))
    naive, _ = reported(selected[repeated], {SEX: texts(codes[repeated])})

    def width(report: FairnessReport) -> float:
        return (
            report.figures["fairness.selection_rate.ratio_high"] - report.figures["fairness.selection_rate.ratio_low"]
        )

    assert width(together) == pytest.approx(width(alone), rel=0.15) and width(naive) < 0.6 * width(alone)


@pytest.mark.parametrize(
    "codes",
    [
        np.zeros(0), np.zeros(1), np.zeros(500), np.full(500, -1), np.arange(500), np.arange(50_000) % 25_000,
        np.arange(500) % 2 - 1,
    ],
)  # fmt: skip
def test_columns_that_cannot_be_compared_are_told_and_never_refuse(codes: np.ndarray) -> None:
    column = column_groups(texts(codes, [f"level {n}" for n in range(25_000)]), Column(name=SEX, type="text"))
    selected = np.arange(len(codes)) % 3 == 0
    report, verdict = reported(selected, {SEX: column}, demographic_parity=0.8)
    assert all(gate.holds for gate in verdict.gates)
    assert not len(codes) or verdict.ask
    assert all(math.isfinite(value) for value in report.figures.values())
    fairness_text(report.json)


def test_groups_of_which_nobody_is_selected_have_no_ratio() -> None:
    report, verdict = reported(np.zeros(400, dtype=bool), {SEX: texts(np.arange(400) % 2)}, demographic_parity=0.8)
    assert "fairness.selection_rate.ratio" not in report.figures and verdict.ask
    assert report.figures["fairness.selection_rate.difference"] == 0
    assert "undefined" in verdict.gates[0].detail
    fairness_text(report.json)


def test_numbers_are_divided_at_their_quartiles() -> None:
    age = np.random.default_rng(0).integers(18, 90, 2000).astype(np.float32)
    groups = sensitive_groups(Columns({"age": age}), [Column(name="age", type="number")])
    _, verdict = reported(age > 54, groups, demographic_parity=0.8)
    assert "below" in verdict.gates[0].detail and not verdict.gates[0].holds


def test_of_several_classes_each_is_judged_against_the_others() -> None:
    random = np.random.default_rng(1)
    codes, target = np.repeat([0, 1], 1500), random.integers(0, 3, 3000)
    predicted = np.where((codes == 1) & (random.random(3000) < 0.6), 2, target)
    scores = np.eye(3, dtype=np.float32)[predicted]
    found = groupings({SEX: texts(codes)})
    settings = Fairness(demographic_parity=0.8)
    report = fairness_report(scores, target, "multiclass", ["a", "b", "ç"], found, Units(3000), 0.5, settings)
    verdict = fairness_gates(settings, report.compared, found)
    assert not verdict.gates[0].holds and "of ç" in " ".join(gate.detail for gate in verdict.gates)
    fairness_text(report.json)


def test_groups_of_a_regression_are_measured() -> None:
    random = np.random.default_rng(1)
    codes, target = np.repeat([0, 1], 500), random.normal(100, 10, 1000)
    scores = (target + 5 * codes + random.normal(0, 1, 1000)).reshape(-1, 1)
    found = groupings({SEX: texts(codes)})
    report = fairness_report(scores, target, "regression", [], found, Units(1000), 0.5, Fairness())
    assert report.figures[f"fairness.mean_error.difference_low:{SEX}"] > 4.5
    assert report.figures["fairness.mean_error.difference_high"] < 5.5
    assert "mean error" in fairness_text(report.json)
    with pytest.raises(BadPipeline, match="regression"):
        Fairness(demographic_parity=0.8).check("regression")
    with pytest.raises(BadPipeline, match="two classes"):
        Fairness(mitigate="thresholds").check("multiclass")


@pytest.mark.parametrize(
    ("section", "told"),
    [
        (
            "fairness: {demographic_parity: 0.8}",
            "fairness is about groups: list the columns that tell them under sensitive_columns\nm.yaml, line 3",
        ),
        (
            "fairness: {mitigate: reweighing}",
            "fairness is about groups: list the columns that tell them under sensitive_columns\nm.yaml, line 3",
        ),
        ("sensitive_columns: [sex]\nfairness: {columns: {age: {demographic_parity: 0.8}}}", "'age' is not one of"),
        ("sensitive_columns: [sex]\nfairness: {demographic_parity: 80}", "less than or equal to 1"),
        ("sensitive_columns: [sex]\nfairness: {demografic_parity: 0.8}", "did you mean demographic_parity?"),
        ("sensitive_columns: [sex]\nfairness: {mitigate: magic}", "one of 'none', 'reweighing', 'thresholds'"),
        ("sensitive_columns: [sex]\ntask: regression\nfairness: {demographic_parity: 0.8}", "is for classes"),
        ("sensitive_columns: [sex]\ntask: multiclass\nfairness: {mitigate: thresholds}", "binary task only"),
    ],
)
def test_mistakes_in_the_section_are_told_with_their_line(section: str, told: str) -> None:
    with pytest.raises(BadPipeline) as problem:
        parse(f"name: m\ntarget: y\n{section}\n", "m.yaml")
    assert told in str(problem.value)


def test_a_file_without_the_section_is_as_before() -> None:
    pipeline = Pipeline(name="m", target="y", sensitive_columns=["sex"])
    assert not pipeline.fairness.judges and pipeline.fairness.mitigate == "none"


def test_the_value_of_a_rare_group_is_counted_and_never_named() -> None:
    codes = np.concatenate([np.repeat([0, 1], 300), [2] * 20, [3] * 3, np.arange(4, 9)])
    names = ["f", "m", "rare enough", "Ada Lovelace", *(f"person {n}" for n in range(5))]
    groups = {SEX: texts(codes, names), RACE: texts(codes % 2)}
    report, verdict = reported(codes % 3 == 0, groups, demographic_parity=0.8)
    rates = group_metrics(scores_of(codes % 3 == 0), np.arange(len(codes)) % 2, "binary", groupings(groups))
    told = f"{report.json} {report.notes} {verdict} {rates}"
    assert "Ada" not in told and "person" not in told
    assert f"{SEX}: not judged, since fewer than 50 test rows: rare enough (20) and 6 more" in report.notes
    report, _ = reported(codes[:603] % 3 == 0, {SEX: texts(np.r_[np.repeat([0, 1], 300), [2] * 3])})
    assert f"{SEX}: not judged, since fewer than 50 test rows: a group that is too small to be named" in report.notes
