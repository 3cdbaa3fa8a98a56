"""`predict` sends what the signature expects, in requests that the API accepts, and joins the answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import cli.open_place
import cli.predict
from cli.contract import Contract
from cli.main import main
from cli.place import Credentials, Place
from cli.predict import Asked, fault_in_file, merge_answer, request_batches
from cli.signing import call, curl
from modelcycle.faults import BadRequest, Transient
from modelcycle.spec.sources import Csv

SIGNATURE = {
    "model": "m", "task": "binary", "target": "y", "classes": ["no", "yes"], "ignored": ["id", "race"], "inputs": [],
    "missing_values": ["?", "-999"], "id_columns": ["id"],
    "fields": [
        {"name": "age", "type": "number", "example": 39.0}, {"name": "=job's", "type": "text", "example": "a \"b\""},
        {"name": "since", "type": "datetime", "example": "2026-01-01"},
        {"name": "member", "type": "boolean", "example": None},
    ],
}  # fmt: skip
CONTRACT = Contract(SIGNATURE)


@pytest.mark.parametrize(("text", "sent"), [
    ("39", 39.0), (" 39 ", 39.0), ("1e3", 1000.0), ("", None), ("?", None), ("-999", None), (None, None),
    ("forty", None), ("nan", None), ("inf", None), ("1e39", None),
])  # fmt: skip
def test_a_number_is_sent_as_a_number_and_a_missing_value_as_null(text: str | None, sent: Any) -> None:
    assert CONTRACT.instance({"age": text}) == {"age": sent}


def test_columns_that_the_model_does_not_read_are_not_sent() -> None:
    row = {"age": "1", "id": "7", "race": "x", "y": "yes", "extra": "x", "=job's": "0012", "member": "yes"}
    assert CONTRACT.instance(row) == {"id": "7", "age": 1.0, "=job's": "0012", "member": "yes"}
    assert CONTRACT.unknown_columns(row) == ["extra"]


def test_a_request_is_no_larger_than_the_api_accepts() -> None:
    rows = [Asked({}, {"a": "x" * size}) for size in [10] * 1200 + [2_000_000, 10]]
    assert [len(batch) for batch in request_batches(rows)] == [500, 500, 200, 1, 1]


def test_answers_of_several_requests_are_joined() -> None:
    merged: dict[str, Any] = {}
    merge_answer(merged, {"model": "m", "version": 1, "predictions": ["a", "b"], "probabilities": None})
    merge_answer(merged, {"model": "m", "version": 1, "predictions": ["c"], "probabilities": None})
    assert merged == {"model": "m", "version": 1, "predictions": ["a", "b", "c"], "probabilities": None}


def test_in_a_canary_the_answer_has_the_version_of_each_row() -> None:
    merged: dict[str, Any] = {}
    merge_answer(merged, {"model": "m", "version": 1, "predictions": ["a", "b"]})
    merge_answer(merged, {"model": "m", "version": 2, "predictions": ["c"]})
    merge_answer(merged, {"model": "m", "version": 2, "versions": [1, 2], "predictions": ["d", "e"]})
    assert merged["versions"] == [1, 1, 2, 1, 2]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    bodies: list[Any] = []

    def call(place: Place, method: str, path: str, body: Any) -> dict[str, Any]:
        bodies.append(body["instances"])
        count = len(body["instances"])
        return {
            "model": "m", "version": 3, "prediction_ids": ["x"] * count, "predictions": ["yes"] * count,
            "probabilities": [{"no": 0.25, "yes": 0.75}] * count,
        }  # fmt: skip

    monkeypatch.setattr(
        cli.open_place, "open_place", lambda *names, **settings: Place("local", None, {}, Credentials("k", "s"))
    )  # type: ignore[arg-type]
    monkeypatch.setattr(cli.predict, "contract", lambda place, model: CONTRACT)
    monkeypatch.setattr(cli.predict.signing, "call", call)
    return bodies


def test_a_table_shows_the_first_rows_and_the_columns_that_were_not_sent(
    asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.csv").write_text("age;=job's;since;member;odd\n" + "39;cook;2026-01-01;yes;1\n" * 12)
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv")]) == 0
    streams = capsys.readouterr()
    assert "not sent, because the model has no such column: odd" in streams.err
    assert streams.out.splitlines()[:2] == [
        "    row   age   =job's   since        member   prediction   probability",
        "    1     39    cook     2026-01-01   yes      yes          0.750",
    ]
    assert "12 predictions by m:3; the first 10 are shown" in streams.out


def test_json_is_the_answer_of_the_api(asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.jsonl").write_text(
        '{"age": 39.50, "since": null}\n{"age": null, "member": true}\n\n{"member": false}\n'
    )
    assert main(["predict", "m", "--data", str(tmp_path / "r.jsonl"), "--rows", "2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["predictions"] == ["yes", "yes"]
    assert asked == [
        [
            {"age": 39.5, "=job's": None, "since": None, "member": None},
            {"age": None, "=job's": None, "since": None, "member": "true"},
        ]
    ]


def test_a_broken_line_is_skipped_and_named_without_its_values_and_rows_keep_their_numbers(
    asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.csv").write_text("age,member\n1,yes\nsecret,yes,no\n\n2,no\n")
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv"), "--json"]) == 4
    streams = capsys.readouterr()
    assert "1 row not predicted; the first: line 3: 3 values where the header has 2 columns" in streams.err
    assert "secret" not in streams.err
    answer = json.loads(streams.out)
    assert (answer["predictions"], answer["rows"]) == (["yes", "yes"], [1, 3])
    assert answer["skipped"] == [{"line": 3, "reason": "3 values where the header has 2 columns"}]
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv")]) == 4
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:3]] == ["1", "3"]


def test_a_file_without_a_row_is_refused(asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "r.csv").write_text("age,member\n")
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv")]) == 2
    assert "no rows" in capsys.readouterr().err


def test_a_value_that_does_not_parse_is_sent_as_missing_and_named(
    asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.csv").write_text("age,member,since\n1,yes,2026-01-01\nunknown,maybe,soon\n?,no,\n")
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv"), "--json"]) == 0
    assert asked == [[
        {"age": 1.0, "member": "yes", "since": "2026-01-01"}, {"age": None, "member": None, "since": None},
        {"age": None, "member": "no", "since": None},
    ]]  # fmt: skip
    streams = capsys.readouterr()
    assert (
        "2 values could not be read, and counted as missing; the first: row 2 (line 3), column 'since': " in streams.err
    )
    assert "1 value missing: 'unknown' in the column 'age'" in streams.err
    assert "'soon' where a date like 2026-01-01 is expected" in streams.err
    answer = json.loads(streams.out)
    assert "rows" not in answer and answer["unread_cells"] == 3
    assert answer["unread"][0] == {"row": 2, "line": 3, "column": "age", "text": "unknown", "expected": "a number"}


def test_rows_that_the_api_refuses_are_left_out_and_the_others_are_scored(
    asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = cli.predict.signing.call

    def call(place: Place, method: str, path: str, body: Any) -> dict[str, Any]:
        odd = [position for position, row in enumerate(body["instances"]) if row["age"] % 2]
        if odd:
            told = [{"pointer": f"/instances/{position}/age", "detail": "too odd"} for position in odd[:2]]
            raise BadRequest("too odd", "", "", told)
        return answering(place, method, path, body)

    monkeypatch.setattr(cli.predict.signing, "call", call)
    (tmp_path / "r.csv").write_text("age,member,since,=job's\n" + "".join(f"{n},yes,,\n" for n in range(1, 8)))
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv"), "--json"]) == 4
    answer = json.loads(capsys.readouterr().out)
    assert (answer["rows"], len(answer["predictions"])) == ([2, 4, 6], 3)
    assert [left["row"] for left in answer["skipped"]] == [1, 3, 5, 7]
    assert answer["skipped"][0] == {"row": 1, "line": 2, "reason": "column 'age': too odd"}
    (tmp_path / "odd.csv").write_text("age,member,since,=job's\n1,yes,,\n")
    assert main(["predict", "m", "--data", str(tmp_path / "odd.csv")]) == 2
    assert "row 1, column 'age': too odd" in capsys.readouterr().err


def test_a_file_of_another_table_is_refused_once_and_not_cell_by_cell(
    asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(place: Place, method: str, path: str, body: Any) -> dict[str, Any]:
        told = [
            {"pointer": f"/instances/{row}/{name}", "detail": "the column is missing; send null for a missing value"}
            for row in range(len(body["instances"]))
            for name in ("age", "member")
        ]
        raise BadRequest("the column is missing", "", "", told)

    monkeypatch.setattr(cli.predict.signing, "call", call)
    (tmp_path / "r.csv").write_text("rooms,since,=job's\n" + "3,,\n" * 3)
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv")]) == 2
    told = capsys.readouterr().err
    assert told.count("the file lacks 2 columns that the model reads: age, member") == 1
    assert "null" not in told and "row 1" not in told and "this file has: rooms, since, =job's" in told
    (tmp_path / "r.csv").write_text("agee,since,=job's,member\n3,,,\n")
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv")]) == 2
    assert "did you mean 'agee'?" in capsys.readouterr().err


def test_the_dialect_of_the_pipeline_file_is_used_unless_an_option_names_another(
    asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Contract(SIGNATURE, Csv(delimiter="^", skip=1))
    monkeypatch.setattr(cli.predict, "contract", lambda place, model: told)
    (tmp_path / "r.csv").write_text("a title\nage^member\n1^yes\n")
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv")]) == 0
    (tmp_path / "r.csv").write_text("age~member\n1~yes\n")
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv"), "--delimiter", "~", "--skip", "0"]) == 0
    assert asked == [[{"age": 1.0, "member": "yes"}]] * 2
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv"), "--delimiter", "~~"]) == 2
    assert "--delimiter ~~ is not possible" in capsys.readouterr().err


def test_the_first_rows_can_be_asked_for_though_a_line_is_broken_and_it_is_said(
    asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.csv").write_text("age,member\n1,yes\nsecret,yes,no\n2,no\n3,no\n")
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv"), "--rows", "2"]) == 0
    assert asked == [[{"age": 1.0, "member": "yes"}, {"age": 2.0, "member": "no"}]]
    said = capsys.readouterr().err
    assert "1 row not predicted; the first: line 3: 3 values where the header has 2 columns" in said
    assert "secret" not in said


def test_a_key_that_no_line_has_is_missing_as_in_training_and_a_column_that_a_csv_file_lacks_is_not_made_up(
    asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.jsonl").write_text('{"age": 1, "since": "2026-01-01", "=job\'s": "cook"}\n')
    assert main(["predict", "m", "--data", str(tmp_path / "r.jsonl")]) == 0
    assert asked.pop() == [{"age": 1.0, "since": "2026-01-01", "=job's": "cook", "member": None}]
    assert "missing in every row: member" in capsys.readouterr().err
    (tmp_path / "other.jsonl").write_text('{"odd": 1}\n')  # another table: the API names all that it lacks
    assert main(["predict", "m", "--data", str(tmp_path / "other.jsonl")]) == 0
    assert asked.pop() == [{}]
    (tmp_path / "r.csv").write_text("age,since\n1,2026-01-01\n")
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv")]) == 0
    assert asked.pop() == [{"age": 1.0, "since": "2026-01-01"}]


def test_a_file_of_one_column_is_read_and_its_blank_lines_are_none(asked: list[Any], tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_text('age\n1\n\n""\n2\n\n')
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv")]) == 0
    assert asked == [[{"age": 1.0}, {"age": None}, {"age": 2.0}]]


def test_the_printed_curl_line_is_quoted_for_a_shell_and_shows_no_secret_of_aws() -> None:
    outputs = {"ApiUrl": "https://x.example/live"}
    local = curl(Place("local", None, outputs, Credentials("K", "S")), "/p", {"a": "it's"})  # type: ignore[arg-type]
    assert "--user K:S" in local
    assert """'{"a": "it'"'"'s"}'""" in local
    aws = curl(Place("aws", None, outputs, Credentials("K", "S", "T")), "/p", {})  # type: ignore[arg-type]
    assert '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"' in aws
    assert '"x-amz-security-token: $AWS_SESSION_TOKEN"' in aws
    assert "K:S" not in aws


def test_a_refusal_names_the_row_of_the_file_and_the_column() -> None:
    pointers = ["/instances/2/hours ~1 week", "/instances/3"]
    fault = BadRequest("x", "", "", [{"pointer": pointer, "detail": "a number is expected"} for pointer in pointers])
    translated = fault_in_file(fault, Path("r.csv"), [501, 502, 503, 504], ["hours / week"])
    assert translated.what == "row 503, column 'hours / week': a number is expected"
    assert translated.errors[1]["pointer"] == "row 504"
    too_large = BadRequest("too large", "", "", [{"pointer": "/instances", "detail": "1,000 rows at most"}])
    assert fault_in_file(too_large, Path("r.csv"), [1], []) is too_large


def test_an_api_that_does_not_answer_is_a_fault() -> None:
    place = Place("local", None, {"ApiUrl": "http://127.0.0.1:1/api"}, Credentials("K", "S"))  # type: ignore[arg-type]
    with pytest.raises(Transient, match="does not answer"):
        call(place, "POST", "/models/m/predict", {})


def test_explanations_are_asked_for_in_requests_that_the_api_accepts(
    asked: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = []
    plain = cli.predict.signing.call

    def call(place: Place, method: str, path: str, body: Any) -> dict[str, Any]:
        paths.append(path)
        told = {"of": "yes", "score": 0.75, "reference": 0.5, "columns": {"age": 0.25}, "method": "shapley"}
        return plain(place, method, path, body) | {"explanations": [told] * len(body["instances"])}

    monkeypatch.setattr(cli.predict.signing, "call", call)
    (tmp_path / "r.csv").write_text("age;=job's;since;member\n" + "39;cook;2026-01-01;yes\n" * 120)
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv"), "--explain"]) == 0
    assert [len(instances) for instances in asked] == [50, 50, 20]
    assert set(paths) == {"/models/m/predict?explain=true"}
    shown = capsys.readouterr().out
    assert "row 1: probability of yes 0.750, reference 0.500: age +0.250" in shown
    assert "row 11:" not in shown
    assert main(["predict", "m", "--data", str(tmp_path / "r.csv"), "--explain", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["explanations"]) == 120
