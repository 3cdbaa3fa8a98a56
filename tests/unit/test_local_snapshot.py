"""A set of files is whole at any moment, of one moment, and of what changed alone."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from infra.local import snapshot
from infra.local.snapshot import Snapshot, recover


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "services"
    folder.mkdir()
    return folder


def saved(folder: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text())["payload"] for path in folder.glob("*.json")}


def save(one: Snapshot) -> int:
    assert one.take() is None
    return one.write()


def test_what_changed_is_written_and_nothing_else(folder: Path) -> None:
    states: dict[str, Any] = {"s3": {"n": 1}, "lambda": {"n": 1}}
    one = Snapshot(folder, lambda: {name: lambda state=state: state for name, state in states.items()})
    assert save(one) > 0
    untouched = (folder / "lambda.json").stat().st_ino
    states["s3"] = {"n": 2}
    assert save(one) == (folder / "s3.json").stat().st_size
    assert (folder / "lambda.json").stat().st_ino == untouched
    assert saved(folder) == {"s3": {"n": 2}, "lambda": {"n": 1}}
    assert save(one) == 0
    assert [path.name for path in folder.parent.iterdir()] == ["services"]


def test_a_service_that_says_nothing_keeps_what_it_had(folder: Path) -> None:
    save(Snapshot(folder, lambda: {"s3": lambda: {"n": 1}, "lambda": lambda: {"n": 1}}))
    save(Snapshot(folder, lambda: {"s3": lambda: {"n": 2}, "lambda": lambda: None}))
    assert saved(folder) == {"s3": {"n": 2}, "lambda": {"n": 1}}


def test_a_service_that_changes_under_the_encoder_is_encoded_again(folder: Path) -> None:
    answers: list[Any] = [RuntimeError("dictionary changed size during iteration"), {"n": 1}]

    def state() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert save(Snapshot(folder, lambda: {"s3": state})) > 0


def test_a_service_that_cannot_be_encoded_is_named_and_holds_up_no_other(folder: Path) -> None:
    one = Snapshot(folder, lambda: {"s3": lambda: {"n": object()}, "sqs": lambda: {"n": 1}})
    assert (one.take() or "").startswith("s3: ")
    one.write()
    assert saved(folder) == {"sqs": {"n": 1}}


def test_of_the_services_that_belong_together_all_are_written_or_none(folder: Path) -> None:
    states: dict[str, Any] = {"dynamodb": {"n": 1}, "stepfunctions": {"n": 1}}
    one = Snapshot(folder, lambda: {name: lambda state=state: state for name, state in states.items()})
    save(one)
    states |= {"dynamodb": {"n": 2}, "stepfunctions": {"n": object()}}
    assert one.take()
    one.write()
    assert saved(folder)["dynamodb"] == {"n": 1}


def test_a_run_that_ends_while_the_table_is_encoded_is_saved_with_its_end(folder: Path) -> None:
    """Its last function writes to the table, and then its execution ends: a set never holds the end alone."""
    run = {"table": "running", "execution": "RUNNING"}
    looks = 0

    def dynamodb() -> dict[str, str]:
        nonlocal looks
        found = {"run": run["table"]}
        looks += 1
        if looks == 1:
            run.update(table="deployed", execution="SUCCEEDED")
        return found

    services = {"stepfunctions": lambda: {"run": run["execution"]}, "dynamodb": dynamodb}
    save(Snapshot(folder, lambda: services))
    assert saved(folder) == {"dynamodb": {"run": "deployed"}, "stepfunctions": {"run": "SUCCEEDED"}}


@pytest.mark.parametrize("cut", ["written", "between the renames", "before the last removal"])
def test_a_kill_in_the_middle_of_a_save_leaves_one_whole_set(folder: Path, cut: str) -> None:
    following, before = folder.with_name("services.next"), folder.with_name("services.before")
    (folder / "s3.json").write_text('{"payload": "old"}')
    following.mkdir()
    (following / "s3.json").write_text('{"payload": "new"}')
    if cut != "written":
        folder.rename(before)
    if cut == "before the last removal":
        following.rename(folder)
    recover(folder)
    assert saved(folder) == {"s3": "old" if cut == "written" else "new"}
    assert [path.name for path in folder.parent.iterdir()] == ["services"]


def test_large_services_are_encoded_without_a_copy_and_all_else_is_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "deepcopy", copy.deepcopy)
    snapshot.copy_nothing_that_is_encoded_at_once()
    held = {"n": [1]}
    copies: list[Any] = []

    def state() -> Any:
        copies.append(copy.deepcopy(held))
        return copies[-1]

    save(Snapshot(folder, lambda: {"cloudwatch_logs": state, "s3": state}))
    assert [one is held for one in copies] == [True, False]
    assert copy.deepcopy(held) is not held
