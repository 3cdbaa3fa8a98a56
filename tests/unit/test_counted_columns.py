"""The columns of a version's rows are counted in a few readings; one that cannot be counted stops no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelcycle.captured import Cell
from modelcycle.captured.answer_rows import MASKED, NULL, NUMBER, TEXT
from modelcycle.engine import connect
from modelcycle.model.profile import ColumnProfile
from modelcycle.summarize import levels, numbers
from modelcycle.summarize.columns import Counted, Watched, count_columns
from modelcycle.summarize.rows import Rows
from modelcycle.summarize.sample import choose_rows, read_chosen

SENT = [
    # row_id, a number as JSON, a number as text or nothing, two texts
    (4, 4.0, ("4,5", TEXT), ("it's", TEXT), ("x", TEXT)), (1, 1.0, (None, None), ("it's", TEXT), (None, MASKED)),
    (3, 3.0, ("many", TEXT), ("\u4e16", TEXT), ("?", TEXT)), (2, 1e39, (None, NULL), (None, NULL), (None, None)),
]  # fmt: skip


def profile(name: str, kind: str, **more: object) -> ColumnProfile:
    return ColumnProfile.model_validate(
        {"name": name, "type": kind, "rows": 9, "missing": 0, "distinct": 2, "counts": [1] * 9} | more
    )


WATCHED = [
    Watched(profile("json number", "number"), True, Cell("NULL::VARCHAR", "number", f"{NUMBER}")),
    Watched(profile("written", "number", format="1234,56"), True, Cell("text0", "NULL::DOUBLE", "kind0")),
    Watched(profile("in no request", "number"), True, None),
    Watched(profile('quoted "text"', "text"), True, Cell("text1", "NULL::DOUBLE", "kind1")),
    Watched(profile("text", "text"), True, Cell("text2", "NULL::DOUBLE", "kind2")),
    Watched(profile("absent text", "text"), True, None),
]


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[Rows]:
    """The rows of SENT, in the wrong order, as a join may leave them; the second window has those from 3 on."""
    with connect(tmp_path, "test") as engine:
        engine.execute(
            "CREATE TABLE sent (row_id BIGINT, prediction_id VARCHAR, prediction VARCHAR, score DOUBLE, number DOUBLE,"
            + ", ".join(f" text{n} VARCHAR, kind{n} UTINYINT" for n in range(3))
            + ")"
        )
        for row_id, number, *cells in SENT:
            values = [
                row_id,
                f"id-{row_id}",
                "yes" if row_id > 2 else None,
                None if row_id == 1 else row_id / 10,
                number,
            ]
            values += [part for cell in cells for part in cell]
            engine.execute(f"INSERT INTO sent VALUES ({', '.join('?' * len(values))})", values)
        yield Rows(engine, "(FROM sent)", [4, 2], ["true", "row_id >= 3"])


def counted(rows: Rows, watched: list[Watched] = WATCHED) -> Counted:
    return count_columns(rows, watched, None, ["?"], np.array([2, 4]))


def test_rows_are_always_in_one_order(rows: Rows) -> None:
    assert rows.fetch({"doubled": "2 * row_id"})["doubled"].tolist() == [2, 4, 6, 8]
    assert [mask.tolist() for mask in rows.masks] == [[True] * 4, [False, False, True, True]]
    assert rows.positions(np.array([2, 4])).tolist() == [1, 3]


def test_what_requests_held_is_told_apart_in_each_window(rows: Rows) -> None:
    found = counted(rows)
    assert not found.notes
    held = {
        column.name: [(side.missing, side.absent, side.unparsed, side.masked)
                      for side in (column.live, of_hour.live)]
        for column, of_hour in zip(*found.columns, strict=True)
    }  # fmt: skip
    assert held == {
        "json number": [(1, 0, 1, 0), (0, 0, 0, 0)], "written": [(3, 1, 1, 0), (1, 0, 1, 0)],
        "in no request": [(4, 4, 0, 0), (2, 2, 0, 0)], 'quoted "text"': [(1, 0, 0, 0), (0, 0, 0, 0)],
        "text": [(2, 1, 0, 1), (1, 0, 0, 0)], "absent text": [(4, 4, 0, 0), (2, 2, 0, 0)],
    }  # fmt: skip
    quoted = found.columns[0][3]
    assert quoted.live.distinct == 2 and quoted.live.rows == 4
    assert found.chosen["written"].tolist() == pytest.approx([np.nan, 4.5], nan_ok=True)
    assert np.isnan(found.chosen["json number"][0]) and found.chosen["json number"][1] == 4


def test_a_column_that_cannot_be_counted_is_named_and_the_others_are_counted(rows: Rows) -> None:
    lost = [Watched(profile(f"lost {kind}", kind), True, Cell("gone", "gone", "gone")) for kind in ("number", "text")]
    found = counted(rows, [*lost, *WATCHED])
    assert sorted(found.notes) == [
        "column 'lost number' could not be counted: BinderException",
        "column 'lost text' could not be counted: BinderException",
    ]
    assert found.columns == counted(rows).columns


def test_how_many_columns_are_read_at_once_changes_nothing(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    before = counted(rows).columns
    monkeypatch.setattr(levels, "MAX_GROUPED", 1)
    monkeypatch.setattr(numbers, "MAX_CELLS", 1)
    assert counted(rows).columns == before


def test_the_chosen_rows_have_all_scores_and_their_own_values(rows: Rows) -> None:
    chosen = choose_rows(rows, [0, 1], ["score::FLOAT"])
    assert chosen.row_ids.tolist() == [2, 3, 4]
    found = count_columns(rows, WATCHED, None, ["?"], chosen.row_ids)
    live = read_chosen(rows, chosen, WATCHED, found.chosen, ["score::FLOAT"], ["?"])
    assert live.scores.ravel().tolist() == pytest.approx([0.2, 0.3, 0.4])
    assert live.answered.tolist() == [None, "yes", "yes"]
    texts = live.columns['quoted "text"']
    assert [texts.levels[code] if code >= 0 else None for code in texts.codes] == [None, "\u4e16", "it's"]  # type: ignore[union-attr]
    assert {window: len(order) for window, order in chosen.of_window.items()} == {0: 3, 1: 2}
    assert not len(choose_rows(rows, [], ["score::FLOAT"]).row_ids)
    nobody = choose_rows(rows, [0], ["NULL::FLOAT"])
    assert len(read_chosen(rows, nobody, WATCHED, {}, ["NULL::FLOAT"], []).scores) == 0
