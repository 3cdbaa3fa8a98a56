"""`modelcycle erase`: who is meant, what is shown before and after, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import MagicMock

import pytest

from cli.console import WRONG_USE, status_of
from cli.erase import _run, _subjects, _wait_for_captures, _with_names, erase
from cli.screens.erasures import found_text, none_text, receipt_text
from modelcycle.faults import BadInput, Fault, NoData, NotAllowed, Unknown

COUNTS = {"uploads": {"objects": 2, "rows": 3, "old": 1}, "monitoring": {"objects": 1, "rows": 0, "old": 0}}
FOUND: dict[str, Any] = {
    "rows": 3, "objects": 3, "classes": COUNTS, "versions": [4], "alike": {"id": 2}, "missing_columns": [],
    "held": {}, "unread": ["data/raw/m/notes.docx"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id=7", {"id": "7"}),
        ("house=3&person=2", {"house": "3", "person": "2"}),
        ("formula=a=b", {"formula": "a=b"}),
        ("firm=Smith & Sons", {"firm": "Smith & Sons"}),
        ("e-mail = ann+1@example.org ", {"e-mail": "ann+1@example.org"}),
    ],
)
def test_a_subject_is_read_as_people_write_it(text: str, expected: dict[str, str]) -> None:
    assert _subjects([text], None) == [expected]


def test_a_file_names_subjects_whose_values_no_shell_keeps(tmp_path: Path) -> None:
    file = tmp_path / "who.json"
    file.write_text(json.dumps([{"a&b=c": "x"}, {"id": 7}, {"id": "007"}]))
    assert _subjects([], file) == [{"a&b=c": "x"}, {"id": "7"}, {"id": "007"}]


@pytest.mark.parametrize("texts", [[], ["id"], ["id="], ["=7"], [" = "], [f"id={n}" for n in range(101)]])
def test_who_is_not_said_is_one_sentence(texts: list[str]) -> None:
    with pytest.raises(BadInput):
        _subjects(texts, None)


@pytest.mark.parametrize(
    "body", ["", "7", '"x"', "[7]", "{", '[{"id": ""}]', "[]", '{"id": "7"}', '[{"id": null}]', '[{"id": [1]}]']
)
def test_a_file_that_names_nobody_is_refused(tmp_path: Path, body: str) -> None:
    (tmp_path / "who.json").write_text(body)
    with pytest.raises(BadInput):
        _subjects([], tmp_path / "who.json")


def test_a_file_of_subjects_that_is_not_there_is_wrong_use_as_any_other_missing_file_is(tmp_path: Path) -> None:
    with pytest.raises(NoData) as raised:
        _subjects([], tmp_path / "nosuch.json")
    assert raised.value.remedy == "check the path" and status_of(raised.value) == WRONG_USE


@pytest.mark.parametrize("erasure", ["xyz", "20260301t093000-5f0c2a"])
def test_what_cannot_be_resumed_is_wrong_use_and_is_not_said_to_go_on(erasure: str) -> None:
    place = MagicMock()
    place.registry.erasures.get.return_value = None
    place.registry.leases.holder.return_value = SimpleNamespace(execution="")
    fault = Unknown(
        "there is no request of that erasure", f"m, erasure {erasure}", "`modelcycle erase m --subject A=B`"
    )
    flows = place.client.return_value
    flows.describe_execution.return_value = {
        "status": "FAILED", "error": "Unknown",
        "cause": json.dumps({"errorType": "Unknown", "errorMessage": str(fault)}),
    }  # fmt: skip
    options = SimpleNamespace(open_place=lambda: place, as_json=False)
    with pytest.raises(Unknown) as raised:
        erase("m", [], None, None, "", erasure, cast(Any, options), yes=False, retrain=False)
    assert "goes on" not in raised.value.remedy and "--subject" in raised.value.remedy
    assert flows.start_execution.called is (erasure != "xyz")


def test_an_erasure_that_failed_is_said_to_go_on() -> None:
    place = MagicMock()
    place.client.return_value.describe_execution.return_value = {
        "status": "FAILED", "error": "Transient", "cause": json.dumps({"errorMessage": "S3 does not answer\nx\ny"}),
    }  # fmt: skip
    with pytest.raises(Fault) as raised:
        _run(place, "m", "e-1", "erase")
    assert raised.value.what == "S3 does not answer" and "--resume e-1 goes on" in raised.value.remedy


def test_what_was_found_is_shown_by_class_before_anything_changes() -> None:
    shown = found_text("m", "e-1", FOUND)
    assert "3 rows in 3 objects" in shown and "1 of them old versions" in shown
    assert "2 cells of id differ only by leading zeros" in shown and "notes.docx" in shown
    assert "test rows of version 4" in shown and shown.endswith("nothing has been changed yet")


def test_on_aws_an_erasure_begins_when_earlier_answers_have_been_written(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    for name, seconds in (("aws", 10), ("aws", 200), ("local", 0)):
        _wait_for_captures(cast(Any, SimpleNamespace(name=name)), datetime.now(UTC) - timedelta(seconds=seconds))
    assert len(slept) == 1 and 70 < slept[0] <= 80


def test_the_screen_alone_has_the_name_of_an_object_that_holds_a_value() -> None:
    place = MagicMock()
    versions = [{"Key": "raw/m/a.csv", "VersionId": "v1"}, {"Key": "raw/m/4711.csv", "VersionId": "v2"}]
    place.s3.get_paginator.return_value.paginate.return_value = [{"Versions": versions}]
    told = "data/raw/m/ (object 1, version v2: its name holds a value)"
    shown = _with_names(place, FOUND | {"held": {told: "rename it", "data/x": "broken"}})
    assert shown["held"] == {"data/raw/m/4711.csv": "rename it", "data/x": "broken"}
    gone = told.replace("v2", "v9")
    place.s3.exceptions.ClientError = KeyError
    assert _with_names(place, FOUND | {"held": {gone: "rename it"}})["held"] == {gone: "rename it"}


def test_nobody_is_told_with_the_reason() -> None:
    shown = none_text("m", FOUND | {"missing_columns": ["custmer"]})
    assert "nothing was found" in shown and "no table has a column custmer" in shown


def test_the_receipt_says_what_is_gone_what_learned_and_what_is_not_reached() -> None:
    receipt = FOUND | {
        "erasure": "e-1", "rewritten": 2, "deleted": 5, "versions_that_learned": [1, 2], "kept_elsewhere": ["backups"],
        "held": {"data/raw/m/x.parquet": "two columns differ"},
    }  # fmt: skip
    shown = receipt_text("m", receipt)
    assert "erased: 3 rows; 2 objects written anew, 5 deleted" in shown and "version 1, 2" in shown
    assert "modelcycle retrain m" in shown and "backups" in shown
    assert "cannot be changed   data/raw/m/x.parquet: two columns differ" in shown
    run = {"done": "started", "why": "a person asked"}
    assert "a run was asked for: started, a person asked" in receipt_text("m", receipt | {"run": run})


@pytest.mark.parametrize(("answer", "rows", "said"), [
    ("n", 3, None), (KeyboardInterrupt, 3, None), (EOFError, 3, None), ("y", 2_000, None), ("y", 2_000, 1_999),
    ("y", 3, 5),
])  # fmt: skip
def test_what_was_found_is_deleted_at_once_if_nobody_wants_it_erased(
    monkeypatch: pytest.MonkeyPatch, answer: Any, rows: int, said: int | None
) -> None:
    ran: list[str] = []

    def typed(prompt: str) -> str:
        if isinstance(answer, str):
            return answer
        raise answer

    class Terminal:
        as_json = False

        def open_place(self) -> MagicMock:
            return MagicMock()

    monkeypatch.setattr("builtins.input", typed)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("cli.erase._run", lambda place, model, erasure, mode: ran.append(mode) or {})
    monkeypatch.setattr("cli.erase._read", lambda *found: FOUND | {"rows": rows})
    with pytest.raises(NotAllowed):
        erase("m", ["id=7"], None, said, "", None, Terminal(), yes=False, retrain=False)  # type: ignore[arg-type]
    assert ran == ["find", "forget"]


@pytest.mark.parametrize("why", ["request of K-00008", "k-00008 asked"])
def test_a_reason_that_names_the_person_is_refused_before_anything_is_written(why: str) -> None:
    with pytest.raises(BadInput, match="the receipt would keep it"):
        erase("m", ["id=K-00008"], None, None, why, None, MagicMock(), yes=True, retrain=False)
