"""What the model relies on, measured by changing columns of a sample of test rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from modelcycle.model.columns import Columns, Texts
from modelcycle.model.evidence import Evidence
from modelcycle.model.fields import Field
from modelcycle.model.losses import row_losses
from modelcycle.model.plan import Input
from modelcycle.model.scoring import Scorer
from modelcycle.model.signature import Signature
from modelcycle.registry import Registry
from modelcycle.score_candidate import evidence as gathering
from modelcycle.score_candidate import score_candidate
from modelcycle.score_candidate.evidence import MAX_COLUMNS, MAX_ROWS, MIN_ROWS, gather_evidence
from modelcycle.score_candidate.slices import slice_rows
from modelcycle.spec import Task
from modelcycle.validate import validate
from modelcycle.validate.evidence import evidence_report
from modelcycle.validate.slices import slice_report
from tests.fakes import MemoryStore, MemoryTable
from tests.trained import COLOUR, HOURS, cycle, train

TASKS: list[Task] = ["binary", "multiclass", "regression"]


def gathered(task: Task) -> tuple[Evidence, Any, Any]:
    trained = train(task)
    scorer = Scorer(trained.signature, trained.onnx)
    test = Columns(trained.test.values)
    scores = scorer.scores(test)
    return gather_evidence(scorer, len(trained.onnx), test, scores), scores, trained.test.target


@pytest.mark.parametrize("task", TASKS)
def test_importance_is_what_it_costs_to_permute_a_column(task: Task) -> None:
    evidence, scores, target = gathered(task)
    report = evidence_report(evidence, scores, target, task)
    assert {entry["column"] for entry in report["importance"]} == {HOURS, COLOUR}
    assert all(entry["increase"] > 5 * entry["error"] > 0 for entry in report["importance"])
    rows = evidence.positions
    expected = row_losses(evidence.permuted[0], target[rows], task) - row_losses(scores[rows], target[rows], task)
    first = next(entry for entry in report["importance"] if entry["column"] == evidence.columns[0])
    assert first["increase"] == pytest.approx(expected.mean())
    assert report["rows"] == len(rows) and report["columns_left_out"] == 0


@pytest.mark.parametrize("task", TASKS)
def test_the_more_cells_are_missing_the_more_it_costs(task: Task) -> None:
    report = evidence_report(*gathered(task), task)
    few, many = report["missing_values"]
    assert (few["share"], many["share"]) == (0.1, 0.3)
    assert 0 < few["increase"] < many["increase"]


def test_partial_dependence_follows_the_column() -> None:
    evidence, _, _ = gathered("binary")
    by_column = {entry["column"]: entry for entry in evidence.dependence}
    hours = by_column[HOURS]
    positive = [scores[1] for scores in hours["scores"]]
    assert hours["classes"] == ["no", "yes"] and hours["values"] == sorted(hours["values"])
    assert positive[-1] - positive[0] > 0.4
    colours = dict(zip(by_column[COLOUR]["values"], by_column[COLOUR]["scores"], strict=True))
    assert colours["red"][1] > colours["blue"][1] + 0.2


def test_equal_inputs_give_equal_bytes() -> None:
    first, again = gathered("multiclass")[0].to_bytes(), gathered("multiclass")[0].to_bytes()
    assert first == again == Evidence.from_bytes(first).to_bytes()


def test_no_row_keeps_its_place() -> None:
    for rows in (2, 3, 100):
        order = gathering._shifted(rows, np.random.default_rng(rows))
        assert sorted(order) == list(range(rows)) and (order != np.arange(rows)).all()


class Linear:
    """A scorer without a graph: the sum of columns by weight."""

    def __init__(self, weights: dict[str, float], width: int) -> None:
        names = [f"c{number}" for number in range(width)]
        self.weights, self.scored = weights, 0
        self.signature = Signature(
            model="m", task="regression", target="y", classes=[], ignored=[],
            fields=[Field(name=name, type="number", example=0.0) for name in names],
            inputs=[Input(name=f"x{number}", column=name, kind="number") for number, name in enumerate(names)],
        )  # fmt: skip

    def scores(self, columns: Columns) -> Any:
        self.scored += columns.rows
        total = np.zeros(columns.rows)
        for name, weight in self.weights.items():
            total += weight * np.nan_to_num(np.asarray(columns.values[name]))
        return total.reshape(-1, 1).astype(np.float32)


def test_in_a_wide_table_the_columns_that_count_are_found_in_a_bounded_number_of_scorings() -> None:
    width, random = 2000, np.random.default_rng(0)
    weights = {"c3": 1.0, "c700": -2.0, "c701": 0.5, "c1999": 0.3}
    scorer: Any = Linear(weights, width)
    test = Columns({f"c{number}": random.normal(size=1500).astype(np.float32) for number in range(width)})
    evidence = gather_evidence(scorer, 1000, test, scorer.scores(test))
    assert evidence.columns[:4] == ["c700", "c3", "c701", "c1999"]
    assert len(evidence.columns) == MAX_COLUMNS and len(evidence.left_out) == width - MAX_COLUMNS
    assert MIN_ROWS <= len(evidence.positions) < MAX_ROWS
    assert scorer.scored * width < 3 * gathering.MAX_CELLS


def test_many_classes_and_large_graphs_get_fewer_rows() -> None:
    assert gathering._affordable_rows(13, 11, 2, 500_000) == MAX_ROWS
    assert gathering._affordable_rows(13, 11, 2, 100_000_000) == 230
    assert gathering._affordable_rows(13, 11, 3000, 500_000) == 102
    assert gathering._affordable_rows(62, 2000, 10_000, 500_000_000) == MIN_ROWS


def test_columns_without_two_values_have_no_dependence() -> None:
    assert len(gathering._grid(np.full(50, np.nan))) == 0
    assert len(gathering._grid(Texts.of([f"name {number}" for number in range(200)]))) == 0  # may identify people
    assert gathering._grid(np.array([0.0, 1.0] * 20, dtype=np.float32)).tolist() == [0.0, 1.0]


def test_the_report_of_a_run_has_the_evidence() -> None:
    run = cycle(train("binary"), MemoryStore(), Registry(MemoryTable()))
    scored = score_candidate(run.score_candidate, artifacts=run.store, registry=run.registry, code="c")
    assert scored.evidence is not None
    result = validate(run.validate(scored), artifacts=run.store, registry=run.registry, code="c")
    report = json.loads(run.store.read(result.report))["evidence"]
    assert {"importance", "missing_values", "partial_dependence", "rows", "columns_left_out", "loss"} == set(report)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_few_rows_or_none_are_survived(rows: int) -> None:
    trained = train("binary")
    scorer = Scorer(trained.signature, trained.onnx)
    test = Columns(trained.test.values).take(np.arange(rows))
    scores = scorer.scores(test)
    evidence = gather_evidence(scorer, len(trained.onnx), test, scores)
    slices = slice_rows(test, trained.table.columns)
    assert trained.test.target is not None
    target = trained.test.target[:rows]
    report = evidence_report(evidence, scores, target, "binary")
    assert report["rows"] == rows and len(report["importance"]) == (2 if rows else 0)
    assert slice_report(slices, scores, target, "binary").lost == []
