"""A part that does not fit is read column by column, and its file has the same bytes."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from modelcycle.cells.column import Column
from modelcycle.model import typed_sql
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.typed_sql import fetch_values
from modelcycle.preprocess import tables

COLUMNS = {
    0: Column(name="amount", type="number"),
    1: Column(name="city", type="text"),
    2: Column(name="when", type="datetime"),
    3: Column(name="note", type="text"),
    4: Column(name="empty", type="text"),
}


@pytest.fixture
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        """CREATE TABLE kept_rows AS SELECT
             CASE WHEN i % 9 = 0 THEN NULL ELSE i / 7 END::DOUBLE AS c0,
             CASE WHEN i % 5 = 0 THEN NULL ELSE 'it''s city ' || (hash(i) % 30) END AS c1, i * 60.0::DOUBLE AS c2,
             'ä note ' || i AS c3, NULL::VARCHAR AS c4, (i % 3)::DOUBLE AS target, (i % 2)::UTINYINT AS part
           FROM range(3000) r(i)"""
    )
    return connection


@pytest.mark.parametrize("limits", [(4_000_000, 2_000_000), (1, 1), (3000, 1500)])
def test_the_file_of_a_part_has_the_same_bytes_however_much_is_held(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int]
) -> None:
    whole = tables.read_part(engine, 1, 1500, COLUMNS, has_classes=False)
    expected = Columns(dict(whole.values), whole.target).to_bytes()
    monkeypatch.setattr(tables, "MAX_HELD_CELLS", limits[0])
    monkeypatch.setattr(tables, "MAX_BATCH_CELLS", limits[1])
    part = tables.read_part(engine, 1, 1500, COLUMNS, has_classes=False)
    path = tables.write_npz(part, "training", tmp_path / "part.npz")
    assert path.read_bytes() == expected
    values = part.values
    assert isinstance(values, tables.PartValues)
    assert len(values.held) <= values.max_held


def test_only_the_columns_read_last_are_held(
    engine: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_BATCH_CELLS", 1500)
    monkeypatch.setattr(tables, "MAX_HELD_CELLS", 3000)
    part = tables.read_part(engine, 0, 1500, COLUMNS, has_classes=False)
    for name in part.values:
        assert len(part.values[name]) == 1500
    assert isinstance(part.values, tables.PartValues)
    assert len(part.values.held) == 2


@pytest.mark.parametrize("max_levels", [0, 10_000])
def test_few_and_many_levels_are_read_alike(
    engine: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch, max_levels: int
) -> None:
    monkeypatch.setattr(typed_sql, "MAX_ENUM_LEVELS", max_levels)
    monkeypatch.setattr(typed_sql, "MAX_CHUNK_ROWS", 700)
    typed = {column.name: (f"c{number}", column.type) for number, column in COLUMNS.items()}
    values = fetch_values(engine, typed, "kept_rows WHERE part = 0", 1500)
    assert list(values) == list(typed)
    for number, column in COLUMNS.items():
        rows = engine.execute(f"SELECT c{number} FROM kept_rows WHERE part = 0").fetchall()
        found = values[column.name]
        if column.type != "text":
            wanted = np.array([np.nan if value is None else value for (value,) in rows])
            np.testing.assert_allclose(found, wanted, rtol=1e-6)
            continue
        expected = Texts.of([value for (value,) in rows])
        assert isinstance(found, Texts)
        assert found.levels == expected.levels
        assert np.array_equal(found.codes, expected.codes)
        assert found.codes.dtype == np.int32
