"""The contract where rows come from several sources, or from a stream."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelcycle.contract import Report
from modelcycle.land.land import Lander
from modelcycle.land.stream_records import Arrival, Delivery, Row
from modelcycle.messages import Preprocessed
from tests.unit.clinic import TOWNS, go_live, rows, text
from tests.unit.data_steps import AT, Workspace
from tests.unit.pulled_rows import Database, PullWorkspace, sqlite_database

JOINED: dict[str, Any] = {
    "target": "state",
    "join": [{"name": "towns", "on": ["town"], "source": {"type": "sql", "secret": "shop", "table": "towns"}}],
}


@pytest.fixture
def towns(tmp_path: Path) -> Database:
    database = sqlite_database(tmp_path / "towns.db")
    database.create("towns", "town text, metres real", [(town, 100.5 * n) for n, town in enumerate(TOWNS, 1)])
    return database


def live(towns: Database) -> PullWorkspace:
    """A version is live that has learned from 1,200 rows of three towns."""
    workspace = PullWorkspace(secrets={"shop": towns.url})
    workspace.data.upload("raw/m/january.csv", text(rows()))
    workspace.pull(**JOINED)
    go_live(workspace, workspace.preprocess(workspace.run("r1", **JOINED)))
    return workspace


def report_of(workspace: Workspace, result: Preprocessed) -> Report:
    assert result.contract_report is not None
    return Report.model_validate_json(workspace.artifacts.read(result.contract_report))


def test_an_ordinary_month_passes_with_the_columns_of_a_join(towns: Database) -> None:
    workspace = live(towns)
    workspace.data.upload("raw/m/february.csv", text(rows(1000, seed=1)))
    result = workspace.preprocess(workspace.run("r2", **JOINED))
    report = report_of(workspace, result)
    assert (result.ask, report.files, report.rows) == ([], ["raw/m/february.csv"], 1000)


def test_a_joined_source_that_has_changed_makes_all_rows_new(towns: Database) -> None:
    workspace = live(towns)
    towns.execute("UPDATE towns SET metres = metres * 1000")
    workspace.pull(**JOINED)
    result = workspace.preprocess(workspace.run("r2", **JOINED))
    assert report_of(workspace, result).rows == 1200
    assert any("metres" in what for what in [*result.ask, *result.warned]), result


def test_a_stream_is_not_asked_for_objects_of_equal_size() -> None:
    workspace, sent = Workspace(), 0
    lander = Lander(workspace.data, workspace.registry.streams)
    pipeline: dict[str, Any] = {"target": "y", "source": {"type": "stream"}}

    def send(count: int) -> None:
        nonlocal sent
        records = []
        for number in range(count):
            sent += 1
            line = f'{{"y": "{"ab"[number % 2]}", "x": {number % 40}}}'
            arrival = Arrival("shard-0", f"{sent:06d}", AT, b"{}")
            records.append(Row(arrival, "m", line, AT, None))
        lander.land(Delivery("records", ordered=True), records)

    send(300)
    send(300)
    go_live(workspace, workspace.preprocess(workspace.run("r1", **pipeline)))
    send(80)
    result = workspace.preprocess(workspace.run("r2", **pipeline))
    assert (report_of(workspace, result).rows, result.ask) == (80, [])


def test_a_rule_for_new_rows_holds_only_if_there_are_new_files() -> None:
    pipeline: dict[str, Any] = {"target": "state", "schema": {"rows": {"min": 500}}}
    workspace = Workspace()
    for name, seed in (("january", 0), ("february", 1)):
        workspace.data.upload(f"raw/m/{name}.csv", text(rows(seed=seed)))
    go_live(workspace, workspace.preprocess(workspace.run("r1", **pipeline)))
    del workspace.data.objects["raw/m/february.csv"]
    result = workspace.preprocess(workspace.run("r2", **pipeline))
    assert report_of(workspace, result).files == []
