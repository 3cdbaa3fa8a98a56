"""The files of the services are complete and consistent at any moment, and only changed ones are written."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from infra.local.emulator import state_snapshot
from infra.local.emulator.state_snapshot import StateSnapshot, finish_swap


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "services"
    folder.mkdir()
    return folder


def states_on_disk(folder: Path) -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text())["payload"] for path in folder.glob("*.json")}


def save(snapshot: StateSnapshot) -> int:
    assert snapshot.take() is None
    return snapshot.write()


def test_only_changed_services_are_written(folder: Path) -> None:
    states: dict[str, Any] = {"s3": {"n": 1}, "lambda": {"n": 1}}
    snapshot = StateSnapshot(folder, lambda: {name: lambda state=state: state for name, state in states.items()})
    assert save(snapshot) > 0
    unchanged = (folder / "lambda.json").stat().st_ino
    states["s3"] = {"n": 2}
    assert save(snapshot) == (folder / "s3.json").stat().st_size
    assert (folder / "lambda.json").stat().st_ino == unchanged
    assert states_on_disk(folder) == {"s3": {"n": 2}, "lambda": {"n": 1}}
    assert save(snapshot) == 0
    assert [path.name for path in folder.parent.iterdir()] == ["services"]


def test_a_service_without_state_keeps_its_file(folder: Path) -> None:
    save(StateSnapshot(folder, lambda: {"s3": lambda: {"n": 1}, "lambda": lambda: {"n": 1}}))
    save(StateSnapshot(folder, lambda: {"s3": lambda: {"n": 2}, "lambda": lambda: None}))
    assert states_on_disk(folder) == {"s3": {"n": 2}, "lambda": {"n": 1}}


def test_a_service_that_changes_while_it_is_encoded_is_encoded_again(folder: Path) -> None:
    results: list[Any] = [RuntimeError("dictionary changed size during iteration"), {"n": 1}]

    def get_state() -> Any:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    assert save(StateSnapshot(folder, lambda: {"s3": get_state})) > 0


def test_a_service_that_cannot_be_encoded_is_named_and_does_not_prevent_others(folder: Path) -> None:
    snapshot = StateSnapshot(folder, lambda: {"s3": lambda: {"n": object()}, "sqs": lambda: {"n": 1}})
    assert (snapshot.take() or "").startswith("s3: ")
    snapshot.write()
    assert states_on_disk(folder) == {"sqs": {"n": 1}}


def test_consistent_services_are_written_together_or_not_at_all(folder: Path) -> None:
    states: dict[str, Any] = {"dynamodb": {"n": 1}, "stepfunctions": {"n": 1}}
    snapshot = StateSnapshot(folder, lambda: {name: lambda state=state: state for name, state in states.items()})
    save(snapshot)
    states |= {"dynamodb": {"n": 2}, "stepfunctions": {"n": object()}}
    assert snapshot.take()
    snapshot.write()
    assert states_on_disk(folder)["dynamodb"] == {"n": 1}


def test_a_run_that_ends_while_the_table_is_encoded_is_saved_with_its_end(folder: Path) -> None:
    """The last function of a run writes to the table before the execution ends: no set contains the end alone."""
    run = {"table": "running", "execution": "RUNNING"}
    calls = 0

    def dynamodb() -> dict[str, str]:
        nonlocal calls
        state = {"run": run["table"]}
        calls += 1
        if calls == 1:
            run.update(table="deployed", execution="SUCCEEDED")
        return state

    services = {"stepfunctions": lambda: {"run": run["execution"]}, "dynamodb": dynamodb}
    save(StateSnapshot(folder, lambda: services))
    assert states_on_disk(folder) == {"dynamodb": {"run": "deployed"}, "stepfunctions": {"run": "SUCCEEDED"}}


@pytest.mark.parametrize("killed", ["after the files", "between the renames", "before the last removal"])
def test_a_kill_during_a_save_leaves_one_complete_set(folder: Path, killed: str) -> None:
    next_folder, previous_folder = folder.with_name("services.next"), folder.with_name("services.before")
    (folder / "s3.json").write_text('{"payload": "old"}')
    next_folder.mkdir()
    (next_folder / "s3.json").write_text('{"payload": "new"}')
    if killed != "after the files":
        folder.rename(previous_folder)
    if killed == "before the last removal":
        next_folder.rename(folder)
    finish_swap(folder)
    assert states_on_disk(folder) == {"s3": "old" if killed == "after the files" else "new"}
    assert [path.name for path in folder.parent.iterdir()] == ["services"]


def test_large_services_are_encoded_without_a_copy_and_others_are_copied(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "deepcopy", copy.deepcopy)
    state_snapshot.skip_copies_while_encoding()
    original = {"n": [1]}
    copies: list[Any] = []

    def get_state() -> Any:
        copies.append(copy.deepcopy(original))
        return copies[-1]

    save(StateSnapshot(folder, lambda: {"cloudwatch_logs": get_state, "s3": get_state}))
    assert [state is original for state in copies] == [True, False]
    assert copy.deepcopy(original) is not original
