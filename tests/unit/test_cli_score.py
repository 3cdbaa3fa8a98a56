"""`modelcycle score`: what is checked before the upload, how the results become one file, and what the screen says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from cli.place import Credentials, Place
from cli.result_file import check_result_path, default_result_path, unread_rows, write_results
from cli.score import _class_of, _wait
from cli.screens.scored import scored_text
from modelcycle.faults import BadInput, ColumnsDiffer, Fault, Raced
from modelcycle.messages import FinishedScoring, PlannedScoring

NAMES = ["row", 'id "with", all', "Prediction_2", "prediction", "probability_it's", "version", "unread"]
HEAD = 'row,"id ""with"", all",Prediction_2,prediction,probability_it\'s,version,unread\n'


@pytest.fixture
def parts(tmp_path: Path) -> list[Path]:
    first, second = tmp_path / "results-00000.csv", tmp_path / "results-00001.csv"
    first.write_text(HEAD + '1,"a\nb",x,yes,0.25,3,\n2,,,,,,line 3 is not a row: short\n')
    second.write_text(HEAD + "3,007,z,no,1e-07,3,age: 'forty' where a number is expected\n")
    return [first, second]


def test_the_parts_become_one_csv_file_with_one_header(parts: list[Path], tmp_path: Path) -> None:
    bodies = [part.read_text().removeprefix(HEAD) for part in parts]
    write_results(parts, NAMES, ["probability_it's"], tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == HEAD + "".join(bodies)


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_in_other_formats_numbers_are_numbers_and_ids_are_texts(parts: list[Path], suffix: str, tmp_path: Path) -> None:
    out = tmp_path / f"out{suffix}"
    write_results(parts, NAMES, ["probability_it's"], out)
    if suffix == ".jsonl":
        rows = [tuple(json.loads(line).values()) for line in out.read_text().splitlines()]
    else:
        assert duckdb.sql(f"SELECT * FROM '{out}'").columns == NAMES
        rows = duckdb.sql(f"SELECT * FROM '{out}'").fetchall()
    assert rows[0] == (1, "a\nb", "x", "yes", 0.25, 3, None)
    assert rows[1] == (2, None, None, None, None, None, "line 3 is not a row: short")
    assert rows[2][1:5] == ("007", "z", "no", 1e-07)


def test_rows_that_could_not_be_read_are_told(parts: list[Path]) -> None:
    assert unread_rows(parts, NAMES, 10) == [
        {"row": 2, "unread": "line 3 is not a row: short", "scored": False},
        {"row": 3, "unread": "age: 'forty' where a number is expected", "scored": True},
    ]


def test_rows_that_were_not_scored_are_told_after_any_number_of_unread_values(parts: list[Path]) -> None:
    cells = "".join(f"{row},a,b,no,0.5,3,age: 'x' where a number is expected\n" for row in range(4, 9))
    parts[1].write_text(HEAD + cells + "9,,,,,,line 10 is not a row: short\n")
    told = unread_rows([parts[1]], NAMES, 2)
    assert [(row["row"], row["scored"]) for row in told] == [(9, False), (4, True), (5, True)]


def test_files_with_points_in_their_names_have_results_of_their_own() -> None:
    names = ["sales.2026-10.csv", "sales.2026-11.csv.gz", "sales.CSV", ".rows.csv"]
    assert [default_result_path(Path("in") / name) for name in names] == [
        Path("in") / name for name in ("sales.2026-10.scored.csv", "sales.2026-11.scored.csv", "sales.scored.csv",
                                       ".rows.scored.csv")
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["out.xlsx", "nowhere/out.csv", "rows.csv"])
def test_a_file_that_cannot_be_written_is_refused_before_the_upload(name: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n1\n")
    with pytest.raises(BadInput) as caught:
        check_result_path(tmp_path / name, tmp_path / "rows.csv")
    assert caught.value.remedy


def test_the_screen_names_what_was_not_scored() -> None:
    finished = FinishedScoring(
        model="m", key="score/m/a.csv", job="j", version=3, rows=1002, unread=1, results="scored/m/a.csv/j/x.csv",
        manifest="scored/m/a.csv/j/manifest.json", unread_cells=1,
    )  # fmt: skip
    told = [{"row": 2, "unread": "line 3 is not a row", "scored": False}, {"row": 3, "unread": "age", "scored": True}]
    text = scored_text(finished, told, 0.5, "a.scored.csv")
    assert "1,001 rows scored by m:3 in 0.5 s   2,002 rows/s" in text
    assert "1 row not scored; the first:\n  row 2: line 3 is not a row" in text
    assert "1 value could not be read, and counted as missing; the first:\n  row 3: age" in text
    assert "scored/m/a.csv/j/" in text


def test_a_job_that_fails_raises_the_fault_of_its_step_and_names_the_file() -> None:
    cause = {"errorType": "ColumnsDiffer", "errorMessage": "no column age\nscore/m/a.csv\nadd it"}
    described = {
        "status": "FAILED", "error": "ColumnsDiffer", "cause": json.dumps(cause),
        "input": json.dumps({"detail": {"object": {"key": "score/m/a.csv"}}}),
    }  # fmt: skip
    with pytest.raises(ColumnsDiffer) as caught:
        _wait(_place(described), "arn:e1", Path("/home/ann/a.csv"), "e")
    assert (caught.value.what, caught.value.where) == ("no column age", "/home/ann/a.csv")
    assert [_class_of(name) for name in ("States.Timeout", "Sequence", "NoSuch")] == [Fault] * 3


def test_a_file_that_was_skipped_is_said() -> None:
    output = {"plan": {"skipped": "names that begin with _ or . are no data"}}
    with pytest.raises(BadInput, match="begin with _"):
        _wait(_place({"status": "SUCCEEDED", "output": json.dumps(output)}), "arn:e1", Path("_a.csv"), "e")


def test_the_scores_of_another_file_of_that_name_are_not_brought() -> None:
    """Two people upload the same name at once: the job of the first may begin when the second object is there."""
    plan = PlannedScoring(
        model="m", key="score/m/a.csv", job="j", version=3, rows=2, unread=0, shards=[], etag="theirs"
    )  # fmt: skip
    left = {"name": "Plan", "output": json.dumps({"plan": plan.wire()})}
    described = {"status": "SUCCEEDED", "output": "{}"}
    with pytest.raises(Raced, match="was uploaded at the same time"):
        _wait(_place(described, [{"stateExitedEventDetails": left}]), "arn:e1", Path("a.csv"), "mine")


def _place(described: dict[str, Any], events: Sequence[Any] = ()) -> Place:
    class States:
        def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
            return described

        def get_execution_history(self, **request: Any) -> dict[str, Any]:
            return {"events": events}

    place = Place("local", object(), {}, Credentials("k", "s"))  # type: ignore[arg-type]
    place.__dict__["states"] = States()
    return place
