"""Rows that repeat an entity are noticed, and ordinary columns are not taken for one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modelcycle.model.columns import Columns, Texts
from modelcycle.preprocess.entities import repeated_entity


def noted(target: Any, left_out: set[str] | None = None, **columns: Any) -> str | None:
    values = {
        name: Texts.of(list(cells)) if isinstance(cells[0], str) else np.asarray(cells, dtype=np.float32)
        for name, cells in columns.items()
    }
    units = np.arange(len(target), dtype=np.uint64)
    return repeated_entity(Columns(values, np.asarray(target)), units, left_out or set())


def entities(seed: int, groups: int = 200, rows: int = 6) -> tuple[Any, Any]:
    """Return the number of the entity of each row, and a generator."""
    generator = np.random.default_rng(seed)
    return generator.permutation(np.repeat(np.arange(groups), rows)), generator


@pytest.mark.parametrize("seed", range(5))
def test_an_entity_with_an_outcome_of_its_own_is_noticed_by_its_finest_column(seed: int) -> None:
    entity, draw = entities(seed)
    weight, height, outcome = draw.normal(size=200), draw.normal(size=200), draw.integers(0, 2, 200)
    note = noted(outcome[entity], bp=draw.normal(size=1200), weight=weight[entity], height=height[entity])
    assert note is not None
    assert "`group_by: [weight]`" in note
    assert "200 values, in about 6" in note


@pytest.mark.parametrize("seed", range(5))
def test_a_single_measured_column_is_enough_when_the_target_stays_the_same(seed: int) -> None:
    entity, draw = entities(seed)
    number = np.repeat(draw.normal(size=200), 1)
    assert noted(draw.integers(0, 2, 200)[entity], w=number[entity], bp=draw.normal(size=1200)) is not None
    assert noted(draw.normal(size=200)[entity], w=number[entity], bp=draw.normal(size=1200)) is not None


@pytest.mark.parametrize("seed", range(10))
def test_ordinary_columns_are_no_entity(seed: int) -> None:
    draw = np.random.default_rng(seed)
    age, year = draw.integers(18, 90, 3000), draw.integers(1990, 2024, 3000)
    price = np.round(np.sort(draw.choice(np.arange(5, 500, 5), 60, replace=False)) - 0.01, 2)[
        draw.integers(0, 60, 3000)
    ]
    zip_code = draw.integers(10_000, 99_999, 300)[draw.integers(0, 300, 3000)]
    product = draw.integers(0, 60, 3000)
    list_price, weight = np.round(draw.lognormal(3, 1, 60), 2), np.round(draw.lognormal(0, 1, 60), 3)
    columns = {
        "age": age, "year": year, "price": price, "zip": zip_code, "list_price": list_price[product],
        "weight": weight[product], "x": draw.normal(size=3000), "word": [f"w{n % 97}" for n in range(3000)],
    }  # fmt: skip
    smooth = age / 40 + price / 200
    assert noted((smooth + draw.normal(size=3000) > 3).astype(np.int32), **columns) is None
    assert noted(smooth + 0.2 * draw.normal(size=3000), **columns) is None
    effect = draw.normal(size=100_000)
    assert noted(effect[zip_code] + 0.2 * draw.normal(size=3000), **columns) is None


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "diabetes", "digits", "linnerud"])
def test_well_known_tables_have_no_entity(name: str) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    table = getattr(datasets, f"load_{name}")()
    target = table.target if table.target.ndim == 1 else table.target[:, 0]
    columns = {f"c{number}": table.data[:, number] for number in range(table.data.shape[1])}
    assert noted(target.astype(float) if name in ("diabetes", "linnerud") else target, **columns) is None


def test_copies_with_a_number_are_told_as_such() -> None:
    draw = np.random.default_rng(1)
    row = np.repeat(np.arange(200), 4)
    columns = {"n": np.arange(800.0), "a": draw.normal(size=200)[row], "b": draw.normal(size=200)[row]}
    note = noted(draw.integers(0, 2, 200)[row], **columns)
    assert note is not None
    assert "`id_columns: [n]`" in note
    assert noted(draw.integers(0, 2, 200)[row], left_out={"a", "b"}, **columns) is None


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["text", "number"])
def test_a_rare_level_whose_rows_share_the_target_is_noticed_without_any_other_column(seed: int, kind: str) -> None:
    entity, draw = entities(seed, rows=4)
    place, outcome = draw.normal(size=200), draw.integers(0, 2, 200)
    patient = [f"p{n:03}" for n in entity] if kind == "text" else entity
    noisy = place[entity] + draw.normal(0, 0.05, 800)
    note = noted(outcome[entity], patient=patient, x=noisy)
    assert note is not None and "`group_by: [patient]`" in note and "200 values, in about 4" in note
    assert noted(draw.normal(size=200)[entity], patient=patient, x=noisy) is not None
    # a surname says nothing, however often it repeats
    assert noted(draw.integers(0, 2, 800), patient=patient, x=noisy) is None
