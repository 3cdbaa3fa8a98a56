"""Corrected cells and lines take the place of those that were kept back: nothing twice, nothing lost."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from cli.quarantine import fitting
from modelcycle.faults import BadData, BadInput
from tests.fakes import MemoryStore
from tests.unit.data_steps import Workspace, table, workspace_with
from tests.unit.pulled_rows import PullWorkspace


def csv_with_broken(rows: int = 200) -> tuple[str, list[int], list[int]]:
    """Return a file, the rows whose age does not parse, and the lines with a value too many."""
    lines, bad_rows, bad_lines = ["age,town,y"], [], []
    row = 0
    for number in range(rows):
        if number % 50 == 49:
            bad_lines.append(len(lines) + 1)
            lines.append(f"{20 + number % 40},Gent,B,{'yes' if number % 2 else 'no'}")
            continue
        row += 1
        age = "thirty" if number % 40 == 7 else str(20 + number % 40)
        if age == "thirty":
            bad_rows.append(row)
        lines.append(f"{age},{'Lyon' if number % 3 else 'Köln'},{'yes' if number % 2 else 'no'}")
    return "\n".join(lines) + "\n", bad_rows, bad_lines


def correct(workspace: Workspace, name: str, corrections: list[dict[str, Any]], object_name: str = "1") -> None:
    content = hashlib.sha256(workspace.data.objects[f"raw/m/{name}"]).hexdigest()
    lines = [json.dumps({"content": content} | correction) for correction in corrections]
    workspace.data.upload(f"raw/m/_corrections-{object_name}.jsonl", "\n".join(lines).encode())


def fixes(bad_rows: list[int], bad_lines: list[int]) -> list[dict[str, Any]]:
    return [
        *({"scope": "cell", "at": row, "column": "age", "text": "30"} for row in bad_rows),
        *({"scope": "line", "at": line, "fields": ["31", "Gent, B", "yes"]} for line in bad_lines),
    ]


def test_after_a_correction_nothing_is_left_in_quarantine() -> None:
    text, bad_rows, bad_lines = csv_with_broken()
    workspace, _ = workspace_with(a__csv=text, b__csv=table(60, age=[25, 35], town=["Rom"], y=["yes", "no", "no"]))
    numeric: dict[str, Any] = {"target": "y", "features": {"numeric": ["age"]}}
    run = workspace.run("r2", **numeric)
    before = workspace.preprocess(run)
    collected = workspace.collect(run)
    assert (collected.quarantined, before.cells, before.kept) == (len(bad_lines), len(bad_rows), 260 - len(bad_lines))
    correct(workspace, "a.csv", fixes(bad_rows, bad_lines))
    again = workspace.run("r3", **numeric)
    corrected, after = workspace.collect(again), workspace.preprocess(again)
    assert (corrected.quarantined, corrected.quarantine, corrected.corrected) == (0, None, len(bad_rows + bad_lines))
    assert (after.cells, after.quarantined, after.quarantine, after.kept) == (0, 0, None, 260)
    rows = workspace.rows(corrected)
    assert sum(row == ("31", "Gent, B", "yes") for row in rows) == len(bad_lines)
    assert len(rows) == 260 and not any(row[0] == "thirty" for row in rows)
    manifest = json.loads(workspace.artifacts.read(corrected.manifest))
    assert [entry["key"] for entry in manifest["corrections"]] == ["raw/m/_corrections-1.jsonl"]
    assert "content" in manifest["objects"][0] and "content" not in manifest["objects"][1]


def test_files_from_elsewhere_and_joined_ones_are_corrected_too() -> None:
    text, bad_rows, bad_lines = csv_with_broken()
    workspace = PullWorkspace(buckets={"lake": MemoryStore("lake")})
    workspace.buckets["lake"].upload("rows/a.csv", text.encode())
    workspace.buckets["lake"].upload("towns/b.csv", b"town,size\nLyon,1\nRom,2\nGent, B,3\n")
    elsewhere: dict[str, Any] = {
        "target": "y", "source": {"bucket": "lake", "prefix": "rows/"},
        "join": [{"name": "towns", "on": ["town"], "source": {"bucket": "lake", "prefix": "towns/"}}],
    }  # fmt: skip
    workspace.pull(**elsewhere)
    assert workspace.snapshot("r1", **elsewhere).quarantined == len(bad_lines) + 1
    for name, body, corrections in (
        ("a", text.encode(), fixes(bad_rows, bad_lines)),
        (
            "b",
            workspace.buckets["lake"].objects["towns/b.csv"],
            [{"scope": "line", "at": 4, "fields": ["Gent, B", "3"]}],
        ),
    ):
        content = {"content": hashlib.sha256(body).hexdigest()}
        lines = "\n".join(json.dumps(content | correction) for correction in corrections)
        workspace.data.upload(f"raw/m/_corrections-{name}.jsonl", lines.encode())
    corrected = workspace.snapshot("r2", **elsewhere)
    assert (corrected.quarantined, corrected.corrected) == (0, len(bad_rows + bad_lines) + 1)
    sizes = [row["size"] for row in workspace.table(corrected) if row["town"] == "Gent, B"]
    assert sizes == ["3"] * len(bad_lines)


def test_the_same_corrections_twice_change_nothing() -> None:
    text, bad_rows, bad_lines = csv_with_broken()
    workspace, _ = workspace_with(a__csv=text)
    correct(workspace, "a.csv", fixes(bad_rows, bad_lines), "1")
    once = workspace.rows(workspace.collect(workspace.run("r1", target="y")))
    correct(workspace, "a.csv", fixes(bad_rows, bad_lines), "2")
    assert workspace.rows(workspace.collect(workspace.run("r2", target="y"))) == once


def test_the_latest_correction_of_a_cell_counts_and_an_empty_one_makes_it_missing() -> None:
    text, bad_rows, _ = csv_with_broken()
    workspace, _ = workspace_with(a__csv=text)
    correct(workspace, "a.csv", [{"scope": "cell", "at": bad_rows[0], "column": "age", "text": "30"}], "1")
    correct(workspace, "a.csv", [{"scope": "cell", "at": bad_rows[0], "column": "age", "text": ""}], "2")
    rows = workspace.rows(workspace.collect(workspace.run("r1", target="y")))
    assert rows[bad_rows[0] - 1][0] is None and rows[bad_rows[1] - 1][0] == "thirty"


def test_corrections_of_a_file_that_was_replaced_are_left_alone() -> None:
    text, bad_rows, bad_lines = csv_with_broken()
    workspace, _ = workspace_with(a__csv=text)
    correct(workspace, "a.csv", fixes(bad_rows, bad_lines))
    workspace.data.upload("raw/m/a.csv", text.replace("Lyon", "Paris").encode())
    collected = workspace.collect(workspace.run("r1", target="y"))
    assert (collected.corrected, collected.quarantined) == (0, len(bad_lines))


@pytest.mark.parametrize(
    ("correction", "said"),
    [
        ({"scope": "line", "at": 51, "fields": ["31", "Gent"]}, "has 2 values; the file has 3 columns"),
        ({"scope": "cell", "at": 1, "column": "aeg", "text": "1"}, "'aeg', which the file does not have"),
        ({"scope": "sell", "at": 1}, "the line is not a correction"),
    ],
)
def test_a_correction_that_does_not_fit_is_named(correction: dict[str, Any], said: str) -> None:
    workspace, run = workspace_with(a__csv=csv_with_broken()[0])
    correct(workspace, "a.csv", [correction])
    with pytest.raises(BadData, match=said):
        workspace.collect(run)


def test_corrections_that_fit_no_file_are_not_uploaded() -> None:
    manifest = {"columns": ['age, "y"', "state"], "objects": [{"sha256": "new"}]}

    def cell(content: str, column: str) -> dict[str, Any]:
        return {"content": content, "scope": "cell", "at": 1, "column": column, "text": "3"}

    fits = cell("new", 'age, "y"')
    assert fitting([fits, cell("old", "state")], manifest, "kept.csv") == [fits]
    with pytest.raises(BadInput, match="'town' is not a column"):
        fitting([fits, cell("new", "town")], manifest, "kept.csv")
    with pytest.raises(BadInput, match="the files were replaced"):
        fitting([cell("old", "state")], manifest, "kept.csv")
