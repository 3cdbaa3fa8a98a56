"""A part that does not fit is read column by column, and its file has the same bytes."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from modelcycle.cells.column import Column
from modelcycle.contract import measured
from modelcycle.engineer_features.exportability import _sample_positions
from modelcycle.model import npz as limits
from modelcycle.model import typed_sql
from modelcycle.model.columns import Columns, TableSchema, Texts
from modelcycle.model.typed_sql import fetch_values
from modelcycle.preprocess import split, tables
from modelcycle.preprocess.training_profile import training_profile

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


@pytest.mark.parametrize("max_levels", [0, 10_000])
def test_a_part_that_is_read_in_pieces_has_the_same_bytes(
    engine: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, max_levels: int
) -> None:
    whole = tables.read_part(engine, 1, 1500, COLUMNS, has_classes=False)
    expected = Columns(dict(whole.values), whole.target).to_bytes()
    monkeypatch.setattr(typed_sql, "MAX_ENUM_LEVELS", max_levels)
    monkeypatch.setattr(limits, "MAX_FETCHED_ROWS", 400)
    monkeypatch.setattr(limits, "PIECE_ROWS", 400)
    part = tables.read_part(engine, 1, 1500, COLUMNS, has_classes=False)
    assert tables.write_npz(part, "training", tmp_path / "part.npz").read_bytes() == expected
    first = part.head(700)
    assert first.rows == 700
    for name in COLUMNS.values():
        head, column = first.values[name.name], whole.values[name.name]
        if isinstance(column, Texts) and isinstance(head, Texts):
            assert head.strings().tolist() == column.strings()[:700].tolist()
        else:
            np.testing.assert_array_equal(head, column[:700])  # type: ignore[index, arg-type]


def test_the_profile_of_a_part_that_is_read_in_pieces_is_the_same_but_for_the_last_digits(
    engine: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = TableSchema(
        columns=list(COLUMNS.values()), target=Column(name="t", type="number"), task="regression", missing_values=[]
    )
    whole = training_profile(tables.read_part(engine, 0, 1500, COLUMNS, has_classes=False), schema)
    monkeypatch.setattr(limits, "MAX_FETCHED_ROWS", 400)
    monkeypatch.setattr(limits, "PIECE_ROWS", 400)
    pieces = training_profile(tables.read_part(engine, 0, 1500, COLUMNS, has_classes=False), schema)
    for one, other in zip([*whole.columns, whole.target], [*pieces.columns, pieces.target], strict=True):
        assert one.model_dump(exclude={"mean", "deviation"}) == other.model_dump(exclude={"mean", "deviation"})
        if one.mean is not None:
            np.testing.assert_allclose([one.mean, one.deviation], [other.mean, other.deviation], rtol=1e-12)


def test_the_spread_of_many_rows_is_that_of_few(
    engine: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = {"amount": "c0", "when": "c2", "target": "target", "none": "c4"}
    few = measured.spreads(engine, "kept_rows", typed, 3000)
    monkeypatch.setattr(measured, "MAX_BATCH_CELLS", 1)
    assert measured.spreads(engine, "kept_rows", typed, 3000) == few
    assert set(few) == {"amount", "when", "target"}


def test_quantiles_are_at_the_positions_of_duckdb() -> None:
    connection = duckdb.connect()
    for count in [*range(1, 220), 999, 1000, 12_345]:
        query = f"SELECT quantile_disc(i, {list(measured.LEVELS)}) FROM range({count}) r(i)"
        row = connection.execute(query).fetchone()
        assert row is not None
        assert list(row[0]) == measured.positions(count)


def test_parts_folds_and_clusters_are_the_same_in_pieces(
    engine: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.execute(
        """CREATE TABLE row_parts AS SELECT i + 1 AS row_id, CASE WHEN i % 7 > 0 THEN i % 3 END AS part,
             CASE WHEN i % 3 < 2 THEN i % 5 END AS fold, hash(i // 2) AS unit FROM range(1000) r(i)"""
    )
    monkeypatch.setattr(limits, "MAX_FETCHED_ROWS", 64)
    monkeypatch.setattr(limits, "PIECE_ROWS", 64)
    i = np.arange(1000)
    kept = i % 7 > 0
    assert np.array_equal(
        np.concatenate(list(split.parts_of_rows(engine, 1000).arrays)), np.where(kept, i % 3, split.NOT_KEPT)
    )
    training = kept & (i % 3 == 0)
    folds = split.folds_of_part(engine, 0, int(training.sum()))
    assert np.array_equal(np.concatenate(list(folds.arrays)), i[training] % 5)
    units = split.units_of_part(engine, 2)
    assert np.array_equal(split.clusters_of_part(engine, 2), np.unique(units, return_inverse=True)[1])


def test_rows_of_every_class_are_exported_wherever_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_FETCHED_ROWS", 64)
    monkeypatch.setattr(limits, "PIECE_ROWS", 64)
    target = (np.arange(5000) % 600 == 599).astype(np.int32)
    target[4321:4340] = 2
    spread = np.linspace(0, 4999, 400).astype(np.int64)
    first = [np.flatnonzero(target == code)[:10] for code in range(3)]
    assert np.array_equal(_sample_positions(target, "multiclass"), np.unique(np.concatenate([spread, *first])))
