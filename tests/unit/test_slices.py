"""The slices on which a model is worst are found, and no large one is lost to a new version beyond chance."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_ind

from modelcycle.cells.column import Column
from modelcycle.measured.grouped_means import MIN_GROUP_ROWS, means, means_against_rest
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.row_groups import column_groups
from modelcycle.model.scoring import Scores
from modelcycle.model.slices import Slices
from modelcycle.registry import Registry
from modelcycle.score_candidate import score_candidate
from modelcycle.score_candidate.slices import MAX_SLICED_COLUMNS, slice_rows
from modelcycle.spec import Task
from modelcycle.validate import validate
from modelcycle.validate.slices import SlicedChampion, SliceReport, slice_report
from tests.fakes import MemoryStore, MemoryTable
from tests.trained import COLOUR, HOURS, SEX, cycle, train

ROWS = 2000
TASKS: list[Task] = ["binary", "multiclass", "regression"]


class Game:
    """Rows with known probabilities, and models that know them up to noise."""

    def __init__(self, seed: int, task: Task = "binary", rows: int = ROWS, columns: int = 12) -> None:
        self.random = np.random.default_rng(seed)
        self.task, self.rows = task, rows
        self.slices = Slices(
            [f"c{number}" for number in range(columns)],
            [["north", "south", "east", "(missing)"]] * columns,
            self.random.integers(0, 4, (columns, rows)).astype(np.int8),
        )
        if task == "regression":
            self.truth = self.random.normal(size=(rows, 1))
            self.target: Any = self.truth[:, 0] + self.random.standard_t(4, rows)
        else:
            logits = self.random.normal(size=(rows, 2 if task == "binary" else 4))
            self.truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            self.target = (self.truth.cumsum(axis=1) < self.random.random((rows, 1))).sum(axis=1)

    def model(self, noise: float = 0.1) -> Any:
        changed = self.truth + noise * self.random.normal(size=self.truth.shape)
        if self.task == "regression":
            return changed
        changed = np.clip(changed, 0.01, None)
        return changed / changed.sum(axis=1, keepdims=True)

    def report(self, candidate: Any, champion: Any = None, **options: Any) -> SliceReport:
        live = None if champion is None else SlicedChampion(3, champion, np.arange(self.rows))
        return slice_report(self.slices, candidate, self.target, self.task, live, **options)

    def spoilt(self, model: Any, column: int, group: int, by: float) -> Any:
        """The model, mixed with wrong answers on one slice."""
        rows = self.slices.codes[column] == group
        spoilt = model.copy()
        if self.task == "regression":
            spoilt[rows] += by
            return spoilt
        wrong = np.eye(model.shape[1])[(self.target + 1) % model.shape[1]]
        spoilt[rows] = (1 - by) * spoilt[rows] + by * wrong[rows]
        return spoilt


@pytest.mark.parametrize("task", TASKS)
def test_the_worst_slice_is_found_by_itself(task: Task) -> None:
    game = Game(1, task)
    report = game.report(game.spoilt(game.model(), column=7, group=2, by=0.6 if task != "regression" else 2.0)).json
    worst = report["worst"][0]
    metric = "rmse" if task == "regression" else "accuracy"
    assert (worst["column"], worst["group"]) == ("c7", "east")
    assert worst["rows"] == (game.slices.codes[7] == 2).sum() and worst["p_corrected"] < 0.001
    assert (worst[metric] > worst[f"rest_{metric}"]) is (task == "regression")
    assert worst["effect"] > 0.1 and report["champion"] is None
    assert len(report["worst"]) <= 2  # the rest is no worse beyond chance


def test_a_part_of_a_bad_slice_that_is_even_worse_is_found() -> None:
    game = Game(2)
    scores = game.spoilt(game.model(), 7, 2, 0.3)
    within = (game.slices.codes[7] == 2) & (game.slices.codes[3] == 1)
    wrong = np.eye(2)[(game.target + 1) % 2]
    scores[within] = wrong[within]
    pair = game.report(scores).json["worst_pairs"][0]
    found = {(pair["within"]["column"], pair["within"]["group"]), (pair["column"], pair["group"])}
    assert found == {("c7", "east"), ("c3", "south")}
    assert pair["rows"] == within.sum() and pair["accuracy"] == 0.0


@pytest.mark.parametrize("task", TASKS)
def test_a_large_slice_that_the_champion_would_lose_refuses(task: Task) -> None:
    game = Game(3, task)
    champion = game.model()
    candidate = game.spoilt(champion, 4, 0, 0.5 if task != "regression" else 1.5)
    lost = game.report(candidate, champion, margin=0.02).lost
    rows = int((game.slices.codes[4] == 0).sum())
    assert lost[0].startswith("worse than version 3 where c4 = north: ")
    assert lost[0].endswith(f" on {rows:,} rows (p < 0.001 over 48 slices)")
    better = game.report(champion, candidate, margin=0.02)
    assert better.lost == []


def test_the_sentence_names_what_people_see() -> None:
    game = Game(4)
    champion = game.model()
    report = game.report(game.spoilt(champion, 4, 3, 0.6), champion)
    entry = report.json["champion"]["slices"][0]
    assert f"where c4 is missing: accuracy {entry['candidate']:.3g} against {entry['champion']:.3g}" in report.lost[0]
    unsure = champion * 0.4 + 0.3  # the same classes, but never sure
    assert "its probabilities are worse by 0." in game.report(unsure, champion).lost[0]


def test_a_small_slice_is_reported_but_does_not_refuse() -> None:
    game = Game(5)
    game.slices.codes[4][game.slices.codes[4] == 0] = 1
    game.slices.codes[4][:150] = 0  # 7.5 % of the rows
    champion = game.model()
    report = game.report(game.spoilt(champion, 4, 0, 0.03), champion, margin=0.02)
    entry = report.json["champion"]["slices"][0]
    assert (entry["column"], entry["group"], entry["p_corrected"]) == ("c4", "north", None)
    assert entry["p"] < 1e-6 and -entry["advantage"] > 0.02 and report.lost == []


def test_only_rows_that_neither_model_has_learned_from_are_compared() -> None:
    game = Game(6)
    candidate = game.model()
    champion = game.spoilt(candidate, 4, 0, -0.2)  # better there, as a model is on rows that it knows
    unseen = np.flatnonzero(game.slices.codes[4] != 0)
    report = slice_report(
        game.slices, candidate, game.target, "binary", SlicedChampion(3, champion[unseen], unseen)
    )  # fmt: skip
    assert report.lost == [] and report.json["champion"]["rows"] == len(unseen)
    assert game.report(candidate, champion).lost


def test_each_model_is_shown_as_right_at_its_own_threshold() -> None:
    game = Game(6)
    champion = game.model()
    candidate = game.spoilt(champion, 4, 0, 0.4)
    live = SlicedChampion(3, champion, np.arange(game.rows), threshold=0.9)
    report = slice_report(game.slices, candidate, game.target, "binary", live, threshold=0.4)
    entry = report.json["champion"]["slices"][0]
    rows = game.slices.codes[4] == 0
    assert (entry["column"], entry["group"]) == ("c4", "north")
    for name, scores, threshold in (("candidate", candidate, 0.4), ("champion", champion, 0.9)):
        assert entry[name] == pytest.approx(np.mean((scores[rows, 1] >= threshold) == game.target[rows]))


def test_differences_within_the_margin_do_not_refuse_even_beyond_chance() -> None:
    """On rows where both models are nearly always right, the smallest difference is beyond chance."""
    game = Game(7)
    sure = game.slices.codes[4] == 0
    champion = game.model()
    champion[sure] = np.where(np.eye(2)[game.target[sure]] == 1, 0.99, 0.01)
    candidate = champion.copy()
    candidate[sure] = np.where(np.eye(2)[game.target[sure]] == 1, 0.98, 0.02)
    assert game.report(candidate, champion, margin=0.0).lost
    assert game.report(candidate, champion, margin=0.02).lost == []


@pytest.mark.parametrize(("task", "rows"), [("binary", 500), ("binary", 4000), ("regression", 1000)])
def test_equal_models_are_refused_in_at_most_two_percent(task: Task, rows: int) -> None:
    refused = 0
    for seed in range(200):
        game = Game(seed, task, rows, columns=15)
        refused += bool(game.report(game.model(), game.model(), margin=0.02).lost)
    assert refused <= 4


def test_rows_of_one_entity_are_one_observation() -> None:
    """Both the slice and the error belong to the entity: without clusters, chance is taken for a difference."""
    with_clusters = without = 0
    for seed in range(60):
        game = Game(seed, rows=500, columns=8)
        entity = np.repeat(np.arange(500), 8)
        game.slices = Slices(game.slices.columns, game.slices.groups, np.repeat(game.slices.codes, 8, axis=1))
        game.target = np.repeat(game.target, 8)
        candidate, champion = np.repeat(game.model(), 8, axis=0), np.repeat(game.model(), 8, axis=0)
        game.rows = 4000
        without += bool(game.report(candidate, champion).lost)
        with_clusters += bool(game.report(candidate, champion, clusters=entity * 7 - 3).lost)
    assert with_clusters <= 2 < without


def test_without_clusters_the_tests_are_those_of_student_and_welch() -> None:
    random = np.random.default_rng(8)
    codes, values = random.integers(0, 3, 900), random.gamma(2, 2, 900)
    average, error, degrees = means(values, codes, 3, None)
    mine = ttest_1samp(values[codes == 1], 0)
    assert average[1] / error[1] == pytest.approx(mine.statistic) and degrees[1] == mine.df
    effect, error, _ = means_against_rest(values, codes, 3, None)
    welch = ttest_ind(values[codes == 1], values[codes != 1], equal_var=False)
    assert effect[1] / error[1] == pytest.approx(welch.statistic, rel=0.01)


def test_the_error_of_a_difference_holds_where_entities_have_rows_on_both_sides() -> None:
    effects, errors = [], []
    for seed in range(400):
        random = np.random.default_rng(seed)
        entity = np.repeat(np.arange(100), 6)
        codes = (random.random(600) < 0.2 + 0.6 * random.random(100)[entity]).astype(np.int64)
        values = random.normal(size=100)[entity] + 0.5 * random.normal(size=600)
        effect, error, _ = means_against_rest(values, codes, 2, entity)
        effects.append(effect[1])
        errors.append(error[1])
    assert np.mean(errors) == pytest.approx(np.std(effects), rel=0.1)


def test_slices_too_small_to_be_tested_and_numbers_too_large_for_it_are_survived() -> None:
    game = Game(9, "regression", rows=MIN_GROUP_ROWS - 1)
    report = game.report(game.model(), game.model())
    assert report.lost == [] and report.json["worst"] == []
    huge = Game(9, "regression")
    huge.target = huge.target * 1e200
    with np.errstate(all="ignore"):
        assert huge.report(huge.model() * 1e200, huge.model() * 1e200).lost == []


class TestGroups:
    def test_of_every_type_with_missing_values(self) -> None:
        rows = Columns({
            "=a/b": np.array([0.1, 0.2, np.nan, 0.1], dtype=np.float32),
            "yes": np.array([1.0, 0.0, 1.0, np.nan], dtype=np.float32),
            "when": np.array([0.0, 1e5, 2e5, np.nan]),
            "ünï": Texts.of(["x", None, "ç", "x"]),
            "same": Texts.of(["x"] * 4),
        })  # fmt: skip
        types = {"yes": "boolean", "when": "datetime", "ünï": "text", "same": "text"}
        columns = [Column(name=name, type=types.get(name, "number")) for name in rows.values]  # type: ignore[arg-type]
        slices = slice_rows(rows, columns)
        assert slices.columns == ["=a/b", "yes", "when", "ünï"]  # one group is no slice
        assert slices.groups[0] == ["0.1", "0.2", "(missing)"] and slices.codes[0].tolist() == [0, 1, 2, 0]
        assert slices.groups[1] == ["false", "true", "(missing)"]
        assert slices.groups[2][-1] == "(missing)" and slices.codes[2][3] == len(slices.groups[2]) - 1
        assert slices.groups[3] == ["x", "ç", "(missing)"]

    def test_the_few_that_are_not_zero_are_a_group(self) -> None:
        gains = np.where(np.arange(1000) % 10 == 0, np.arange(1000.0) + 7, 0.0)
        groups = column_groups(gains, Column(name="gains", type="number"))
        assert groups.levels == ["below 17", "17 and above"] or groups.levels[0].startswith("below")
        assert np.bincount(groups.codes).tolist() == [900, 100]

    def test_numbers_that_are_close_have_different_names(self) -> None:
        values = 1.6e9 + np.arange(100.0)
        names = column_groups(values, Column(name="n", type="number")).levels
        assert len(set(names)) == len(names) == 4
        assert column_groups(np.array([-3.4e38, 3.4e38] * 30 + list(range(40)), dtype=np.float32),
                             Column(name="n", type="number")).levels  # fmt: skip

    def test_columns_are_bounded_and_bytes_are_equal(self) -> None:
        wide = Columns({f"c{n}": np.arange(4.0) for n in range(100)})
        slices = slice_rows(wide, [Column(name=name, type="number") for name in wide.values])
        assert len(slices.columns) == MAX_SLICED_COLUMNS and slices.left_out == 40
        assert slices.to_bytes() == Slices.from_bytes(slices.to_bytes()).to_bytes()


def test_a_run_refuses_a_candidate_that_loses_a_slice_and_its_report_says_where() -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    cycle(train("binary", seed=50), store, registry, "r0").go_live()
    run = cycle(train("binary"), store, registry, "r1")
    scored = score_candidate(run.score_candidate, artifacts=store, registry=registry, code="c")
    assert scored.slices is not None
    slices = Slices.from_bytes(store.read(scored.slices))
    assert slices.columns == [SEX, *sorted([HOURS, COLOUR], key=slices.columns.index)]  # sensitive ones first
    honest = validate(run.validate(scored), artifacts=store, registry=registry, code="c")
    assert honest.verdict == "passed", honest.reasons

    column = slices.columns.index(COLOUR)
    red = slices.codes[column] == slices.groups[column].index("red")
    spoilt = Scores.from_bytes(store.read(scored.scores))
    spoilt.scores[red] = spoilt.scores[red] * 0.6 + 0.2
    worse = scored.model_copy(update={"scores": store.put("spoilt", spoilt.to_bytes())})
    other = cycle(train("binary"), store, registry, "r2")
    result = validate(other.validate(worse), artifacts=store, registry=registry, code="c")
    assert result.verdict == "refused"
    assert any(reason.startswith(f"worse than version 1 where {COLOUR} = red: ") for reason in result.reasons)
    report = json.loads(store.read(result.report))
    assert report["slices"]["champion"]["slices"][0]["lost"]
    assert [gate for gate in report["gates"] if gate["name"] == "gates.slices" and not gate["holds"]]
