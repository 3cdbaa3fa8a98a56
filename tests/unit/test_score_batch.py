"""Batch scoring: every row of a file is scored as a request would be, or is named with its reason."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.contract import Contract
from cli.data_file import open_data_file
from modelcycle.faults import BadInput, ColumnsDiffer, Fault, NoData, NotAllowed, Unknown, UnreadableFile
from modelcycle.messages import (
    PlanScoringRequest,
)
from modelcycle.model.answer import answer, load_version
from modelcycle.model.scoring import Scorer
from modelcycle.registry import Registry
from modelcycle.score_batch import result_files, typed_shards
from modelcycle.score_batch.plan_scoring import plan_scoring
from tests.fakes import UNSIGNED, MemoryStore, MemoryTable
from tests.trained import COLOUR, HOURS, ID, MODEL, cycle, train
from tests.unit.scoring_job import FILE, HEAD, ROWS, Job, csv_text


@pytest.fixture
def job() -> Job:
    return Job()


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_each_row_gets_the_answer_that_a_request_gets(task: Any, tmp_path: Path) -> None:
    """The rows are read once by the functions, and once by the command line, which asks for each."""
    job = Job(train(task))
    path = tmp_path / "rows.csv"
    path.write_text(csv_text(HEAD, *ROWS, ["forty", "red", "Male", "c7"]))
    finished = job.score("rows.csv", path.read_bytes())
    contract = Contract(json.loads(job.trained.signature.model_dump_json()))
    with open_data_file(path) as file:
        instances = [contract.read(row)[0] for row in file]
    route = job.registry.routes.get(MODEL)
    loaded = {1: load_version(job.registry.versions.get(MODEL, 1), job.artifacts, UNSIGNED)}
    asked = answer({"instances": instances}, route, loaded, "k")
    lines = job.lines(finished)
    assert [line[ID] for line in lines] == [f"c{number}" for number in range(1, 8)]
    assert [line["row"] for line in lines] == [str(number) for number in range(1, 8)]
    for line, prediction, probabilities in zip(lines, asked.predictions, asked.probabilities, strict=True):
        assert (float(line["prediction"]) if task == "regression" else line["prediction"]) == prediction
        assert {name: float(line[f"probability_{name}"]) for name in probabilities or {}} == (probabilities or {})
        assert line["version"] == "1"
    assert [line["unread"] for line in lines] == [""] * 6 + [f"{HOURS}: 'forty' where a number is expected"]
    assert (finished.rows, finished.unread, finished.unread_cells) == (7, 0, 1)


def test_a_line_that_is_no_row_keeps_its_place_and_says_why(job: Job) -> None:
    text = FILE.splitlines()
    text[3:3] = ["one value", ""]  # between rows 2 and 3: a broken line, and a blank one
    text += ["1,2,3,4,5", "last"]
    finished = job.score("rows.csv", "\n".join(text) + "\n")
    lines = job.lines(finished)
    assert [line["row"] for line in lines] == [str(number) for number in range(1, 10)]
    assert [line[ID] for line in lines] == ["c1", "c2", "", "c3", "c4", "c5", "c6", "", ""]
    assert [line["prediction"] != "" for line in lines] == [bool(line[ID]) for line in lines]
    assert lines[2]["unread"].startswith("line 4 is not a row: ")
    assert lines[7]["unread"].startswith("line 10 is not a row: ")
    assert (finished.rows, finished.unread) == (9, 3)
    assert job.manifest(finished)["scored"] == 6


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_shards_of_any_size_give_the_same_results(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    text = FILE.replace("-3,,Female", "-3,,Female,x\nminus,,Female").replace("c2\n", "c2\nno row\n")
    whole = Job()
    expected = [whole.data.read(file) for file in whole.score("rows.csv", text).files[:-1]]
    monkeypatch.setattr(typed_shards, "MAX_SHARD_ROWS", size)
    job = Job()
    finished = job.score("rows.csv", text)
    assert len(job.plan("rows.csv").shards) == -(-7 // size)
    assert [job.data.read(file) for file in finished.files[:-1]] == expected


def test_large_results_are_several_files_each_with_a_header(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed_shards, "MAX_SHARD_ROWS", 2)
    monkeypatch.setattr(result_files, "MAX_FILE_BYTES", 150)
    finished = job.score("rows.csv", FILE)
    assert [file.uri.rpartition("/")[2] for file in finished.files] == [
        "results-00000.csv", "results-00001.csv", "results-00002.csv", "manifest.json"
    ]  # fmt: skip
    assert [line["row"] for line in job.lines(finished)] == ["1", "2", "3", "4", "5", "6"]
    listed = job.manifest(finished)["results"]
    assert [(file["key"], file["sha256"]) for file in listed] == [
        (file.uri.removeprefix("s3://data/"), file.sha256) for file in finished.files[:-1]
    ]


def test_long_lines_of_one_shard_are_several_files_of_whole_lines(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"c{number}\n{'x' * 90}" for number in range(9)]
    text = csv_text(HEAD, *([40, "red", "Male", name] for name in names)) + "no row\n"
    monkeypatch.setattr(result_files, "MAX_FILE_BYTES", 500)
    finished = job.score("rows.csv", text)
    assert len(finished.files) > 4 and max(file.bytes for file in finished.files[:-1]) <= 600
    assert [line[ID] for line in job.lines(finished)] == [*names, ""]
    assert [line["row"] for line in job.lines(finished)] == [str(number) for number in range(1, 11)]


def test_every_format_that_training_reads_gives_the_same_scores(job: Job, tmp_path: Path) -> None:
    expected = [line["prediction"] for line in job.lines(job.score("rows.csv", FILE))]
    source = tmp_path / "rows.csv"
    source.write_text(FILE)
    read = f"read_csv('{source}', all_varchar = true)"
    duckdb.sql(f"COPY (SELECT * FROM {read}) TO '{tmp_path / 'rows.parquet'}' (FORMAT parquet)")
    objects = [dict(zip(HEAD, row, strict=True)) for row in ROWS]
    bodies = {
        "rows.csv.gz": gzip.compress(FILE.encode()), "rows.parquet": (tmp_path / "rows.parquet").read_bytes(),
        "rows.jsonl": "\n".join(map(json.dumps, objects)).encode(), "rows.json": json.dumps(objects).encode(),
        "rows.tsv": csv_text(HEAD, *ROWS).replace(",", "\t").replace("never\t", "never,").encode(),
    }  # fmt: skip
    for name, body in bodies.items():
        assert [line["prediction"] for line in job.lines(job.score(name, body))] == expected, name


def test_a_key_that_no_line_has_is_missing_in_every_row_and_said(job: Job) -> None:
    finished = job.score("rows.jsonl", json.dumps({COLOUR: "red"}) + "\n" + json.dumps({COLOUR: "blue"}))
    assert finished.rows == 2
    assert any(f"missing in every row: {HOURS}" in note for note in finished.notes)


def test_a_column_that_the_model_does_not_know_is_said(job: Job) -> None:
    finished = job.score("rows.csv", csv_text([*HEAD, "shoe size", "target"], [*ROWS[0], 42, "yes"]))
    assert [note for note in finished.notes if "shoe size" in note and "target" not in note]


@pytest.mark.parametrize(
    ("name", "body", "fault", "words"),
    [
        ("rows.csv", b"", NoData, "empty"),
        ("rows.csv", csv_text(HEAD).encode(), NoData, "no rows"),
        ("rows.csv", csv_text(["a", "b"], [1, 2]).encode(), ColumnsDiffer, HOURS),
        ("rows.csv", csv_text(["a", "b"], [1, 2]).encode(), ColumnsDiffer, COLOUR),
        ("rows.csv", csv_text(["Hours / Week", COLOUR], [1, 2]).encode(), ColumnsDiffer, HOURS),
        ("rows.jsonl", b'{"a": 1}\n{"b": 2}', ColumnsDiffer, COLOUR),
        ("rows.parquet", b"PAR1 and nothing else", UnreadableFile, "Parquet"),
        ("rows.csv.gz", b"not gzip", UnreadableFile, ""),
        ("rows.xlsx", b"x", UnreadableFile, "xlsx"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    job: Job, name: str, body: bytes, fault: type[Fault], words: str
) -> None:
    with pytest.raises(fault) as caught:
        job.score(name, body)
    assert words in caught.value.what
    assert name in caught.value.where and caught.value.remedy
    assert not [key for key in job.data.objects if key.startswith("scored/")]


def test_a_model_that_cannot_score_is_named() -> None:
    registry, data, artifacts = Registry(MemoryTable()), MemoryStore("data"), MemoryStore()
    data.upload("score/nobody/rows.csv", b"a\n1\n")
    ports: dict[str, Any] = {"data": data, "artifacts": artifacts, "registry": registry, "keys": UNSIGNED,
                             "code": "c"}  # fmt: skip
    with pytest.raises(Unknown, match="there is no model nobody"):
        plan_scoring(PlanScoringRequest.from_event({"key": "score/nobody/rows.csv"}), **ports)
    made = cycle(train("binary"), artifacts, registry)
    registry.leases.claim(made.run, None, None, lambda execution: True)
    data.upload(f"score/{MODEL}/rows.csv", FILE.encode())
    with pytest.raises(NotAllowed, match=r"no version of .* is live"):
        plan_scoring(PlanScoringRequest.from_event({"key": f"score/{MODEL}/rows.csv"}), **ports)
    with pytest.raises(BadInput, match="not in the folder of a model"):
        plan_scoring(PlanScoringRequest.from_event({"key": "score/rows.csv"}), **ports)
    with pytest.raises(NoData, match="gone"):
        plan_scoring(PlanScoringRequest.from_event({"key": f"score/{MODEL}/other.csv"}), **ports)


@pytest.mark.parametrize("name", ["", "2026/", "_temporary/_SUCCESS", ".hidden.csv"])
def test_folders_and_hidden_files_are_skipped(job: Job, name: str) -> None:
    planned = job.plan(name)
    assert planned.skipped and not planned.shards


def test_during_a_rollout_one_version_scores_the_whole_file(job: Job) -> None:
    job.cycle.go_live(weight=40, content="challenger")
    finished = job.score("rows.csv", FILE)
    assert {line["version"] for line in job.lines(finished)} == {"1"}


def test_a_column_that_an_earlier_version_does_not_read_may_be_absent_while_that_one_serves() -> None:
    """The champion is the second version; the first reads only the colour."""
    job = Job()
    signature = job.trained.signature
    narrow = signature.model_copy(update={"fields": signature.fields[1:]})
    older = job.registry.versions.get(MODEL, 1)
    body = narrow.model_dump_json().encode()
    stored = job.artifacts.put(f"{MODEL}/runs/r0/engineer_features/signature.json", body)
    record = next(key for key in job.table.records if key[1].startswith("VERSION#"))
    job.table.records[record] = job.table.records[record]._replace(
        body=older.model_copy(update={"signature": stored}).model_dump(mode="json")
    )
    job.cycle.go_live(content="second")
    old_format = csv_text([COLOUR, ID], ["red", "c1"], ["blue", "c2"])
    finished = job.score("rows.csv", old_format)
    assert finished.version == 2 and f"missing in every row: {HOURS}" in finished.notes
    assert all(line["prediction"] for line in job.lines(finished))
    with pytest.raises(ColumnsDiffer, match="'=co"):
        job.score("other.csv", csv_text([HOURS, ID], [1, "c1"]))


def test_a_row_without_a_finite_score_is_unread_and_the_others_are_scored(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Scorer.scores

    def scores(self: Scorer, columns: Any) -> Any:
        found = real(self, columns)
        found[3] = np.nan
        return found

    monkeypatch.setattr(Scorer, "scores", scores)
    finished = job.score("rows.csv", FILE)
    lines = job.lines(finished)
    assert (finished.rows, finished.unread) == (6, 1)
    assert lines[3]["prediction"] == lines[3]["version"] == lines[3]["probability_no"] == ""
    assert "no number" in lines[3]["unread"]
    assert all(line["prediction"] for number, line in enumerate(lines) if number != 3)


def test_names_that_meet_those_of_the_results_get_a_number() -> None:
    signature = train("binary").signature.model_copy(update={"classes": ["Yes", "yes"]})
    names = result_files.column_names(signature, ["Row", "row", "prediction", "UNREAD", "probability_yes"])
    assert len({name.casefold() for name in names}) == len(names) == 11
    assert names[0] == "row" and names[-4:] == ["probability_Yes", "probability_yes_2", "version", "unread"]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cells=st.lists(st.tuples(TEXTS | st.floats().map(str), TEXTS, TEXTS), min_size=1, max_size=12))
def test_every_row_of_any_file_is_in_the_results(cells: list[tuple[str, str, str]]) -> None:
    """JSON lines, so that each list item is a row whatever its texts hold."""
    job = Job()
    rows = [{HOURS: hours, COLOUR: colour, ID: identity} for hours, colour, identity in cells]
    finished = job.score("rows.jsonl", "\n".join(json.dumps(row) for row in rows))
    lines = job.lines(finished)
    assert len(lines) == finished.rows == len(rows)
    assert sum(line["prediction"] == "" for line in lines) == finished.unread == 0
    assert [line[ID] for line in lines] == [identity for _, _, identity in cells]
