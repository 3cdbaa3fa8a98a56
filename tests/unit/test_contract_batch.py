"""What of a run is new, and so held to the contract: not the rows that a replaced file had before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelcycle.contract import Report
from modelcycle.messages import Preprocessed
from tests.unit.clinic import Rows, go_live, rows, text
from tests.unit.pulled_rows import PullWorkspace, sqlite_database
from tests.unit.test_contract import held, live


def with_words(table: Rows) -> Rows:
    """Return rows of which a tenth has a word for a missing value."""
    return [row | {"fever": "n/a"} if number % 10 == 0 else row for number, row in enumerate(table)]


def test_a_file_that_grew_is_judged_by_its_new_rows() -> None:
    old = rows(1200)
    result, report = held(live(text(old)), text([*old, *with_words(rows(200, seed=1))]), "january.csv")
    assert report.rows == 200
    assert any("fever is missing in 10.0 %" in said for said in result.ask)


def test_equal_rows_are_counted() -> None:
    old = [{"x": n % 3, "z": n % 2, "state": "ill" if n % 5 else "well"} for n in range(1000)]
    _, report = held(live(text(old)), text([*old, *old[:300]]), "january.csv")
    assert report.rows == 300


def test_changed_rows_are_judged_with_all_others() -> None:
    """Of a table of patients, those who died since are no fair sample of the patients."""
    old = rows(1200)
    now = [row | {"state": "well"} if number < 100 else row for number, row in enumerate(old)]
    result, report = held(live(text(old)), text(now), "january.csv")
    assert report.rows == 1200 and result.ask == []


def test_a_rule_for_the_rows_is_of_the_whole_file() -> None:
    old = rows(1200)
    _, report = held(
        live(text(old)), text([*old, *rows(200, seed=1)]), "january.csv", schema={"rows": {"min": 500}}
    )  # fmt: skip
    assert report.rows == 200 and not report.of_level("fail")


JOIN: dict[str, Any] = {
    "target": "state",
    "join": [{"name": "towns", "on": ["town"], "source": {"type": "sql", "secret": "shop", "table": "towns"}}],
}


def joined(rents: dict[str, float], run: str, workspace: PullWorkspace, path: Path) -> tuple[Preprocessed, Report]:
    """Run on a joined table that has these rents, and more towns than there are rows."""
    path.mkdir()
    database = sqlite_database(path / "shop.db")
    towns = rents | {f"elsewhere {number}": 5.0 for number in range(2000)}
    database.create("towns", "town text, rent real", list(towns.items()))
    workspace.secrets["shop"] = database.url
    workspace.pull(**JOIN)
    result = workspace.preprocess(workspace.run(run, **JOIN))
    assert result.contract_report is not None
    return result, Report.model_validate_json(workspace.artifacts.read(result.contract_report))


@pytest.mark.parametrize("factor", [1, 100])
def test_a_joined_table_that_changed_is_held_to_the_contract(tmp_path: Path, factor: int) -> None:
    workspace = PullWorkspace()
    names = [f"t{number}" for number in range(60)]
    table = [row | {"town": names[number % 60]} for number, row in enumerate(rows(1200))]
    workspace.data.upload("raw/m/january.csv", text(table))
    rents = {name: 7.25 + 1.31 * number for number, name in enumerate(names)}
    go_live(workspace, joined(rents, "r1", workspace, tmp_path / "1")[0])
    later = {name: factor * (rent + 0.01) for name, rent in rents.items()}
    result, report = joined(later, "r2", workspace, tmp_path / "2")
    assert report.rows == 1200
    assert {said.partition(":")[0] for said in result.ask} == (set() if factor == 1 else {"rent"})


TABLE: dict[str, Any] = {"target": "state", "source": {"type": "sql", "secret": "clinic", "table": "visits"}}


def pulled(table: Rows, run: str, workspace: PullWorkspace, path: Path, **source: Any) -> Preprocessed:
    """Run on a database that has these rows now."""
    path.mkdir()
    database = sqlite_database(path / "clinic.db")
    columns = ", ".join(f'"{name}" {"text" if name in ("visit", "town", "state") else "real"}' for name in table[0])
    database.create("visits", columns, [[value if value != "" else None for value in row.values()] for row in table])
    workspace.secrets["clinic"] = database.url
    pipeline = TABLE | {"source": TABLE["source"] | source}
    workspace.pull(**pipeline)
    return workspace.preprocess(workspace.run(run, **pipeline))


def test_of_a_table_that_is_pulled_again_the_new_rows_are_judged(tmp_path: Path) -> None:
    workspace = PullWorkspace()
    old = rows(1200)
    go_live(workspace, pulled(old, "r1", workspace, tmp_path / "1"))
    new = [row | {"dose": ""} if number % 5 == 0 else row for number, row in enumerate(rows(200, seed=1))]
    result = pulled([*old, *new], "r2", workspace, tmp_path / "2")
    assert any("dose is missing in" in said for said in result.ask), result.ask


def test_a_pulled_table_that_lost_nearly_all_rows_asks(tmp_path: Path) -> None:
    workspace = PullWorkspace()
    go_live(workspace, pulled(rows(1200), "r1", workspace, tmp_path / "1"))
    result = pulled(rows(60), "r2", workspace, tmp_path / "2")
    assert any("all files together have 60 rows; they had 1,200" in said for said in result.ask)


def test_a_pull_of_few_new_rows_is_no_short_file(tmp_path: Path) -> None:
    workspace = PullWorkspace()
    table = [{"number": number} | row for number, row in enumerate([*rows(1200), *rows(80, 1), *rows(30, 2)])]
    pulled(table[:1200], "r0", workspace, tmp_path / "0", watermark="number")
    go_live(workspace, pulled(table[:1280], "r1", workspace, tmp_path / "1", watermark="number"))
    assert pulled(table, "r2", workspace, tmp_path / "2", watermark="number").ask == []


def test_corrections_of_pulled_rows_are_applied(tmp_path: Path) -> None:
    workspace = PullWorkspace()
    database = sqlite_database(tmp_path / "clinic.db")
    database.create(
        "visits", "age text, state text", [(str(20 + n % 50), "ill" if n % 2 else "well") for n in range(99)]
    )
    database.insert("visits", [("thirty", "ill")])
    workspace.secrets["clinic"] = database.url
    workspace.pull(**TABLE)
    before = workspace.snapshot("r1", **TABLE)
    (entry,) = json.loads(workspace.artifacts.read(before.manifest))["objects"]
    at = 1 + [row[0] for row in workspace.rows(before)].index("thirty")
    correction = {"content": entry["sha256"], "scope": "cell", "at": at, "column": "age", "text": "30"}
    workspace.data.upload("raw/m/_corrections-20260101T000000-a.jsonl", json.dumps(correction).encode())
    after = workspace.snapshot("r2", **TABLE)
    assert after.corrected == 1 and workspace.rows(after)[at - 1] == ("30", "ill")
