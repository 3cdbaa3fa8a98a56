"""Several sources joined by key, as they were known at the row's time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelcycle.faults import BadData, BadPipeline
from tests.unit.pulled_rows import Database, PullWorkspace, sqlite_database


@pytest.fixture
def shop(tmp_path: Path) -> Database:
    database = sqlite_database(tmp_path / "shop.db")
    database.create("shops", "id text, city text, y text", [("1.0", "Bonn", "a"), ("2", "Jena", "b"), (None, "?", "c")])
    database.create(
        "prices", "id integer, since text, price real",
        [(1, "2024-01-01", 10.0), (1, "2024-02-01 12:00:00", 11.5), (2, "2024-01-15", 20.0),
         (1, "2024-02-01 12:00:00", 12.0)],
    )  # fmt: skip
    return database


def workspace(shop: Database) -> PullWorkspace:
    space = PullWorkspace(secrets={"shop": shop.url})
    rows = [
        "id,day,y",
        "2,2024-01-20,1",
        "1,2024-01-31,2",
        "1,2024-02-01,3",
        "1,2024-02-02,4",
        "9,2024-02-02,5",
        "2,2024-01-01,6",
    ]
    space.data.upload("raw/m/rows.csv", "\n".join([*rows, ""]).encode())
    return space


def join(table: str, **more: Any) -> dict[str, Any]:
    return {"name": table, "on": ["id"], "source": {"type": "sql", "secret": "shop", "table": table}, **more}


def collected(space: PullWorkspace, **pipeline: Any) -> tuple[list[dict[str, Any]], list[str]]:
    space.pull(**pipeline)
    result = space.snapshot(**pipeline)
    return space.table(result), result.notes


def test_columns_are_added_by_key_and_rows_keep_their_order(shop: Database) -> None:
    rows, notes = collected(workspace(shop), target="y", join=[join("shops")])
    assert [row["city"] for row in rows] == ["Jena", "Bonn", "Bonn", "Bonn", None, "Jena"]
    assert [row["y"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert rows[0]["shops.y"] == "b"
    assert "shops: y is named shops.y" in notes
    assert "shops: 1 of its rows have no key and are left out" in notes
    assert "shops: 1 of 6 rows have no match: its columns are missing there" in notes


def test_a_row_gets_what_was_known_at_its_time(shop: Database) -> None:
    rows, notes = collected(
        workspace(shop), target="y", time_column="day", join=[join("prices", time_column="since")]
    )  # fmt: skip
    # on 1 February at midnight, the price of noon was not known yet; of two rows at one time, the last one counts
    assert [row["price"] for row in rows] == ["20.0", "10.0", "10.0", "12.0", None, None]
    assert any("of one key and time, the last one counts" in note for note in notes)


def test_without_a_time_of_the_rows_the_latest_counts(shop: Database) -> None:
    rows, notes = collected(workspace(shop), target="y", join=[join("prices", time_column="since")])
    assert [row["price"] for row in rows] == ["20.0", "12.0", "12.0", "12.0", None, "20.0"]
    assert any("2 of its rows are left out: of each key, the latest one counts" in note for note in notes)


def test_a_name_that_is_taken_twice_gets_a_number(shop: Database) -> None:
    space = workspace(shop)
    space.data.upload("raw/m/rows.csv", b"id,y,shops.y\n1,2,3\n2,4,5\n")
    rows, notes = collected(space, target="y", join=[join("shops")])
    assert rows[0] == {"id": "1", "y": "2", "shops.y": "3", "city": "Bonn", "shops.y_2": "a"}
    assert "shops: y is named shops.y_2" in notes


def test_two_joins_and_the_target_from_a_joined_source(shop: Database) -> None:
    joins = [join("shops"), join("prices", time_column="since")]
    rows, _ = collected(workspace(shop), target="city", join=joins)
    assert rows[1] == {
        "id": "1", "day": "2024-01-31", "y": "2", "city": "Bonn", "shops.y": "a", "since": "2024-02-01 12:00:00",
        "price": "12.0",
    }  # fmt: skip


def test_a_key_that_repeats_without_a_time_is_an_error(shop: Database) -> None:
    with pytest.raises(BadData, match="2 rows of prices repeat a key") as caught:
        collected(workspace(shop), target="y", join=[join("prices")])
    assert "time_column" in caught.value.remedy


@pytest.mark.parametrize(
    ("section", "fault", "part"),
    [
        ({"on": ["idd"]}, BadPipeline, "'idd' is not a column of the rows"),
        ({"on": ["day"]}, BadPipeline, "'day' is not a column of shops"),
        ({"time_column": "since"}, BadPipeline, "'since' is not a column of shops"),
        ({"time_column": "city"}, BadData, "are no time"),
        ({"on": ["y"]}, BadData, "no row has a match"),
    ],
)
def test_a_wrong_join_is_one_sentence(shop: Database, section: dict[str, Any], fault: type, part: str) -> None:
    with pytest.raises(fault, match=part) as caught:
        collected(workspace(shop), target="y", join=[join("shops") | section])
    assert caught.value.where == "pipelines/m.yaml: join shops"


def test_a_column_that_no_source_has_is_an_error(shop: Database) -> None:
    with pytest.raises(BadPipeline, match="town"):
        collected(workspace(shop), target="y", join=[join("shops")], drop_columns=["town"])
