"""What the model relies on, by changing columns of a sample of test rows: permutation, missing cells, a grid of values.

Everything is sampled with fixed seeds, so equal inputs give equal bytes, and bounded: a table of two thousand columns
or a graph of ten thousand classes gets fewer rows and columns, and the evidence says how many.
"""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Columns, Texts, Values
from modelcycle.model.evidence import Evidence, ScoreArray
from modelcycle.model.fields import Field, json_values
from modelcycle.model.scoring import Scorer

SEED = 0
MAX_ROWS = 1000
MIN_ROWS = 100
MAX_COLUMNS = 60  # that are permuted one by one
MAX_CELLS = 60_000_000  # rows times columns, over all scorings
MAX_SCORES = 4_000_000  # rows times classes, over all scorings: 16 MB
MAX_GRAPH_BYTES = 3e11  # rows times bytes of the graph, over all scorings: some 0.6 s of a large forest
SEARCH_ROWS = 100
MAX_SEARCH_SCORINGS = 240
MISSING_SHARES = [0.1, 0.3]
DEPENDENCE_COLUMNS = 6
DEPENDENCE_ROWS = 100
DEPENDENCE_VALUES = 10
DEPENDENCE_CLASSES = 10  # the most probable ones
MIN_LEVEL_ROWS = 10  # a rarer text may identify a person


def gather_evidence(scorer: Scorer, onnx_bytes: int, test: Columns, scores: ScoreArray) -> Evidence:
    """Score a sample of the test rows after changes of their columns.

    Parameters
    ----------
    scorer : of the candidate
    onnx_bytes : size of its graph
    test : n rows
    scores : of the candidate, (n, k)
    """
    random = np.random.default_rng(SEED)
    fields = {field.name: field for field in scorer.signature.fields}
    read = list(dict.fromkeys(name for graph_input in scorer.signature.inputs for name in graph_input.columns))
    n_scorings = min(len(read), MAX_COLUMNS) + len(MISSING_SHARES)
    n_rows = _affordable_rows(n_scorings, len(read), scores.shape[1], onnx_bytes)
    positions = np.sort(random.permutation(test.rows)[:n_rows])
    sample = _select(test, read, positions)
    columns = read
    if len(read) > MAX_COLUMNS:
        columns = _most_influential(scorer, _select(test, read, positions[:SEARCH_ROWS]), read, random)
    order = _shifted(len(positions), random)
    permuted = [scorer.scores(_permute(sample, [name], order)) for name in columns]
    influences = [_change(scores[positions], changed) for changed in permuted]
    ranked = np.argsort([-influence for influence in influences], kind="stable")
    columns = [columns[number] for number in ranked]
    missing = [scorer.scores(_drop_cells(sample, share, random)) for share in MISSING_SHARES]
    width = scores.shape[1]
    return Evidence(
        positions=positions,
        columns=columns,
        permuted=np.array([permuted[number] for number in ranked], dtype=np.float32).reshape(
            len(columns), len(positions), width
        ),
        shares=MISSING_SHARES,
        missing=np.array(missing, dtype=np.float32).reshape(len(missing), len(positions), width),
        dependence=[
            dependence
            for name in columns[:DEPENDENCE_COLUMNS]
            if (dependence := _partial_dependence(scorer, sample, fields[name]))
        ],
        left_out=[name for name in read if name not in columns],
    )


def _affordable_rows(n_scorings: int, n_columns: int, n_classes: int, onnx_bytes: int) -> int:
    limits = (
        MAX_CELLS / (n_scorings * max(1, n_columns)), MAX_SCORES / (n_scorings * n_classes),
        MAX_GRAPH_BYTES / (n_scorings * max(1, onnx_bytes)),
    )  # fmt: skip
    return max(MIN_ROWS, min(MAX_ROWS, int(min(limits))))


def _select(test: Columns, names: list[str], positions: npt.NDArray[np.int64]) -> Columns:
    return Columns({name: test.values[name] for name in names}).take(positions)


def _shifted(rows: int, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return an order of rows in which no row keeps its place."""
    order = random.permutation(rows)
    shifted = np.empty(rows, dtype=np.int64)
    shifted[order] = np.roll(order, 1)
    return shifted


def _permute(rows: Columns, names: list[str], order: npt.NDArray[np.int64]) -> Columns:
    """Return the rows with some columns in another order; the columns keep together."""
    moved = Columns({name: rows.values[name] for name in names}).take(order)
    return Columns({**rows.values, **moved.values})


def _change(before: ScoreArray, after: ScoreArray) -> float:
    return float(np.abs(after.astype(np.float64) - before).mean()) if len(before) else 0.0


def _most_influential(scorer: Scorer, rows: Columns, names: list[str], random: np.random.Generator) -> list[str]:
    """Return the MAX_COLUMNS columns whose permutation changes the scores most, in the order of the data.

    Blocks of columns are permuted together, and the most influential block is halved, until there are enough single
    columns: most columns of a wide table have no influence, and blocks of those are never searched.
    """
    before, order = scorer.scores(rows), _shifted(rows.rows, random)
    blocks: list[tuple[float, int, list[str]]] = []
    n_scorings = 0

    def add(block: list[str]) -> None:
        nonlocal n_scorings
        n_scorings += 1
        change = _change(before, scorer.scores(_permute(rows, block, order)))
        heapq.heappush(blocks, (-change, n_scorings, block))

    for part in np.array_split(np.arange(len(names)), MAX_COLUMNS):
        add([names[number] for number in part])
    single: list[str] = []
    while blocks and len(single) < MAX_COLUMNS:
        _, _, block = heapq.heappop(blocks)
        if len(block) == 1:
            single += block
        elif n_scorings < MAX_SEARCH_SCORINGS:
            add(block[: len(block) // 2])
            add(block[len(block) // 2 :])
        else:
            single += block[: MAX_COLUMNS - len(single)]
    chosen = set(single)
    return [name for name in names if name in chosen]


def _drop_cells(rows: Columns, share: float, random: np.random.Generator) -> Columns:
    """Return the rows with a share of their cells missing at random."""
    values: dict[str, Values] = {}
    for name, column in rows.values.items():
        dropped = random.random(rows.rows) < share
        if isinstance(column, Texts):
            values[name] = Texts(np.where(dropped, -1, column.codes).astype(np.int32), column.levels)
        else:
            values[name] = np.where(dropped, np.nan, column).astype(column.dtype)
    return Columns(values)


def _partial_dependence(scorer: Scorer, sample: Columns, field: Field) -> dict[str, Any] | None:
    """Return the mean scores of the rows if all had the same value of a column (Friedman 2001), for a grid of values.

    None if the column has fewer than two values.
    """
    grid = _grid(sample.values[field.name])
    if len(grid) < 2:
        return None
    spread = np.linspace(0, sample.rows - 1, min(DEPENDENCE_ROWS, sample.rows)).astype(np.int64)
    rows = sample.take(np.tile(spread, len(grid)))
    of_row = np.repeat(np.arange(len(grid)), len(spread))
    replaced = Texts(grid.codes[of_row], grid.levels) if isinstance(grid, Texts) else grid[of_row]
    scores = scorer.scores(Columns({**rows.values, field.name: replaced})).astype(np.float64)
    means = scores.reshape(len(grid), len(spread), -1).mean(axis=1)
    classes = scorer.signature.classes
    shown = np.sort(np.argsort(-means.mean(axis=0), kind="stable")[:DEPENDENCE_CLASSES])
    return {
        "column": field.name,
        "rows": len(spread),
        "values": json_values(grid, field),
        "classes": [classes[code] for code in shown] if classes else [],
        "scores": [[float(f"{score:.6g}") for score in line] for line in means[:, shown]],
    }


def _grid(values: Values) -> Values:
    """Return at most DEPENDENCE_VALUES values of a column: the most frequent texts, or quantiles."""
    if isinstance(values, Texts):
        counts = np.bincount(values.codes[values.codes >= 0], minlength=len(values.levels))
        frequent = np.argsort(-counts, kind="stable")[:DEPENDENCE_VALUES]
        return Texts(frequent[counts[frequent] >= MIN_LEVEL_ROWS].astype(np.int32), values.levels)
    present = values[~np.isnan(values)]
    if not len(present):
        return present
    quantiles = np.quantile(present, np.linspace(0.05, 0.95, DEPENDENCE_VALUES), method="inverted_cdf")
    return np.unique(quantiles).astype(values.dtype)
