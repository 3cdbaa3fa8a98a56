"""bench/reading.py: its columns are what they mean, and its table has a line for each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.reading import as_meant, as_table, read_duckdb, read_ours, write_files
from bench.reading_columns import COLUMNS_OF_KIND, make_column
from bench.reading_kinds import KINDS


def test_each_kind_has_columns_that_are_drawn_again_alike() -> None:
    assert len(KINDS) * COLUMNS_OF_KIND == 300
    for kind in KINDS:
        column = make_column(kind, 3)
        assert column == make_column(kind, 3)
        assert column != make_column(kind, 3, seed=1)
        assert len(column.texts) == len(column.meant) >= 50
        assert sum(meant is None for meant in column.meant) <= 0.2 * len(column.texts)


@pytest.mark.parametrize("kind", ["currency", "zip codes", "short years", "durations", "class words"])
def test_a_column_is_judged_by_its_type_and_its_values(kind: str, tmp_path: Path) -> None:
    column = make_column(kind, 1, seed=3)
    answer = read_ours(column, tmp_path)
    assert as_meant(column, answer)
    type_, values = answer
    assert values is not None
    assert not as_meant(column, ("boolean", values))
    wrong = [None if n % 20 == 0 else value for n, value in enumerate(values)]
    assert not as_meant(column, (type_, wrong))
    assert not as_meant(column, (type_, values[1:]))


def test_the_table_has_the_share_of_each_kind_and_leaves_out_who_was_not_asked(tmp_path: Path) -> None:
    columns = [make_column(kind, 2) for kind in ("integers", "currency")]
    write_files(columns, tmp_path)
    given = {
        "ours": [read_ours(column, tmp_path) for column in columns],
        "duckdb": [read_duckdb(tmp_path / f"{number}.csv") for number in range(2)],
    }
    lines = as_table(columns, given).splitlines()
    assert lines[0].split() == ["kind", "columns", "ours", "pandas", "duckdb", "autogluon"]
    assert [line.split()[0] for line in lines[1:]] == ["integers", "currency", "all"]
    assert lines[-1].split()[1:3] == ["2", "100.0%"]
    assert len(lines[-1].split()) == 4
