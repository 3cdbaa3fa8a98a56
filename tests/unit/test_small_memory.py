"""The data steps in little memory: the same results, whatever is read at once."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from modelcycle import engine
from modelcycle.faults import BadData
from modelcycle.model import npz
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.profile import profile_column
from modelcycle.model.stored_columns import open_columns
from modelcycle.model.typed_sql import fetch_batch
from tests.unit.data_steps import Workspace, table

UNSPILLABLE = "SELECT quantile_disc(hash(i)::DOUBLE, 0.5) FROM range(2000000) r(i)"  # some 64 MB


def limit(connection: engine.Engine) -> str:
    return str(connection.connection.execute("SELECT current_setting('memory_limit')").fetchone()[0])


def test_a_query_that_cannot_spill_gets_the_functions_share_and_the_next_one_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WORKING_MEGABYTES", 24)
    with engine.connect(tmp_path, "test", 512) as connection:
        assert limit(connection) == "24.0 MiB"
        assert connection.execute(UNSPILLABLE).fetchone()[0] > 0
        assert limit(connection) == "307.0 MiB"
        connection.execute("SELECT 1")
        assert limit(connection) == "24.0 MiB"


def test_after_some_queries_that_do_not_fit_all_get_the_functions_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "WORKING_MEGABYTES", 24)
    with engine.connect(tmp_path, "test", 512) as connection:
        for _ in range(engine.MAX_WIDENED):
            connection.execute("SELECT 1")
            connection.execute(UNSPILLABLE)
        connection.execute("SELECT 1")
        assert limit(connection) == "307.0 MiB"


def test_a_query_that_does_not_fit_into_the_share_is_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "WORKING_MEGABYTES", 16)
    with pytest.raises(BadData, match="do not fit into 40 MB"), engine.connect(tmp_path, "test", 40) as connection:
        connection.execute(UNSPILLABLE)


@pytest.mark.parametrize("extra", ["", "group_by"])
def test_the_results_are_the_same_in_little_memory(monkeypatch: pytest.MonkeyPatch, extra: str) -> None:
    def results() -> list[tuple[str, str]]:
        workspace = Workspace()
        text = table(
            3_000, id=lambda row: row // 3, n=lambda row: row * 7919 % 1000 / 10, t=lambda row: f"level {row % 7}",
            y=lambda row: "" if row % 500 == 3 else "ab"[row * 31 % 11 > 5],
        )  # fmt: skip
        workspace.data.upload("raw/m/a.csv", text.encode())
        run = workspace.run(target="y", **({"group_by": ["id"]} if extra else {}))
        done = workspace.preprocess(run)
        assert done.quarantined == 6
        stored = {**dict(done), "quarantine": None}
        return [(name, value.sha256) for name, value in stored.items() if hasattr(value, "sha256")]

    usual = results()
    monkeypatch.setattr(engine, "WORKING_MEGABYTES", 6)
    monkeypatch.setattr("modelcycle.model.typed_sql.MAX_BATCH_CELLS", 1)
    monkeypatch.setattr("modelcycle.preprocess.tables.MAX_BATCH_CELLS", 1)
    assert results() == usual
    assert len(usual) > 8


def test_the_results_are_the_same_in_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function with more memory has more processors; with several threads, the order of rows would be chance."""
    files = [
        "n,t,y\n" + "".join(f"{n / 7:.4f},level {n % 1201},{'ab'[n % 2]}\n" for n in numbers)
        for numbers in np.random.default_rng(5).integers(0, 100_000, (4, 40_000)).tolist()
    ]
    made = []
    for megabytes in (2_048, 10_240, 10_240):
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", str(megabytes))
        workspace = Workspace()
        for number, text in enumerate(files):
            workspace.data.upload(f"raw/m/{number}.csv", text.encode())
        made.append(workspace.collect(workspace.run(target="y")).wire())
    assert made[0] == made[1] == made[2]


def test_rows_of_a_stored_table_are_those_of_the_table_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = np.arange(50, dtype=np.float32)
    numbers[7] = np.nan
    texts = Texts.of([None if row % 9 == 0 else f"é{row % 4}" for row in range(50)])
    columns = Columns({"n": numbers, "t": texts, "d": numbers.astype(np.float64)}, np.arange(50, dtype=np.int32) % 2)
    columns.write(tmp_path / "table.npz")
    monkeypatch.setattr(npz, "READ_ROWS", 7)
    with open_columns(tmp_path / "table.npz") as stored:
        assert stored.rows == 50
        assert Columns(dict(stored.values), stored.target).to_bytes() == columns.to_bytes()
        for rows in (np.array([0, 6, 7, 13, 14, 49]), np.arange(50), np.array([], dtype=np.int64)):
            assert stored.take(rows).to_bytes() == columns.take(rows).to_bytes()


def test_rows_of_pickled_objects_are_not_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", a=np.array([{}], dtype=object))
    with zipfile.ZipFile(tmp_path / "objects.npz") as file, pytest.raises(ValueError, match="a is not a plain array"):
        npz.read_rows(file, "a", np.array([0]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_profile_sorts_in_place_and_says_what_numpy_says(dtype: type) -> None:
    values = np.random.default_rng(0).normal(size=10_001).round(2).astype(dtype)
    values[::13] = np.nan
    before = values.copy()
    profile = profile_column("n", "number", values)
    present = before[~np.isnan(before)].astype(np.float64)
    assert np.array_equal(values, before, equal_nan=True)
    assert (profile.mean, profile.deviation) == (present.mean(), present.std())
    assert [profile.percentile_1, profile.percentile_99] == list(
        np.quantile(present, [0.01, 0.99], method="inverted_cdf")
    )
    assert profile.edges == list(np.unique(np.quantile(present, np.linspace(0, 1, 11)[1:-1], method="inverted_cdf")))
    assert (profile.distinct, profile.missing) == (len(np.unique(present)), 10_001 - len(present))
    assert profile.counts == profile.bin_counts(before)[0].tolist()


def test_missing_values_of_a_fetched_column_are_filled(tmp_path: Path) -> None:
    with engine.connect(tmp_path, "test", 512) as connection:
        source = "(SELECT * FROM (VALUES (1.5, 'b'), (NULL, NULL), (2.5, 'a')) v(n, t))"
        fetched = fetch_batch(connection, {"n": ("n", "number"), "t": ("t", "text")}, source)
    assert np.array_equal(fetched["n"], np.array([1.5, np.nan, 2.5], dtype=np.float32), equal_nan=True)  # type: ignore[arg-type]
    texts = fetched["t"]
    assert isinstance(texts, Texts)
    assert texts.codes.tolist() == [1, -1, 0]
