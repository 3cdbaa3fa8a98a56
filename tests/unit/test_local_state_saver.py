"""When the state is saved, and what is reported if it cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.local.emulator import state_saver
from infra.local.emulator.state_saver import StateSaver, defer_code_removal
from infra.local.emulator.state_snapshot import StateSnapshot


class Clock:
    """Stands for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(state_saver, "time", clock)
    return clock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "services"
    folder.mkdir()
    return folder


class Emulator:
    """An emulator with one service; `requests` counts requests, `works` says whether a function runs."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {"n": 1}
        self.requests = 0
        self.works = False

    def services(self) -> dict[str, Any]:
        return {"s3": lambda: self.state}

    def saver(self, folder: Path, **options: Any) -> StateSaver:
        return StateSaver(
            StateSnapshot(folder, self.services),
            activity=lambda: self.requests,
            is_working=lambda: self.works,
            **options,
        )


def test_an_idle_cloud_is_checked_once_a_minute_and_writes_nothing(folder: Path, clock: Clock) -> None:
    saver = Emulator().saver(folder)
    saves = 0
    for _ in range(600):
        clock.now += state_saver.SAVE_INTERVAL
        if saver.is_due():
            saves += 1
            saver.save()
            if saves == 1:
                written = saver.written
    assert saver.written == written > 0
    seconds = 600 * state_saver.SAVE_INTERVAL
    assert saves <= seconds / state_saver.IDLE_INTERVAL + state_saver.QUIET_AFTER / state_saver.SAVE_INTERVAL + 2


def test_what_a_request_changed_is_on_disk_two_seconds_later(folder: Path, clock: Clock) -> None:
    emulator = Emulator()
    saver = emulator.saver(folder)
    saver.is_due()
    saver.save()
    clock.now += 30
    assert not saver.is_due()
    emulator.requests, emulator.state = 1, {"n": 2}
    clock.now += state_saver.SAVE_INTERVAL
    assert saver.is_due()
    saver.save()
    assert '"n": 2' in (folder / "s3.json").read_text()


def test_a_save_is_due_while_a_function_works_without_a_request(folder: Path, clock: Clock) -> None:
    emulator = Emulator()
    saver = emulator.saver(folder)
    saver.is_due()
    saver.save()
    clock.now += 30
    emulator.works = True
    assert saver.is_due()


def test_a_failed_save_is_reported_until_one_succeeds(
    folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = Emulator()
    saver = emulator.saver(folder)
    saver.save()
    saved_at = saver.saved_at
    write_bytes = Path.write_bytes

    def fail(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    emulator.state = {"n": 2}
    clock.now += 100
    saver.save()
    assert saver.fault and "No space left" in saver.fault
    assert (saver.unsaved, saver.saved_at) == (("s3",), saved_at)
    assert '"n": 1' in (folder / "s3.json").read_text()
    clock.now += 100
    assert saver.is_due()
    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    saver.save()
    assert (saver.fault, saver.unsaved, saver.saved_at) == (None, (), clock.now)


def test_an_object_that_cannot_be_written_is_reported_too(folder: Path) -> None:
    class ObjectFiles:
        count = 1

        def write(self) -> str | None:
            return "1 objects could not be written" if self.count else None

    object_files = ObjectFiles()
    saver = Emulator().saver(folder, object_files=object_files)
    saver.save()
    assert (saver.fault, saver.unsaved) == ("1 objects could not be written", ("objects",))
    object_files.count = 0
    saver.save()
    assert (saver.fault, saver.unsaved) == (None, ())


def test_nothing_is_saved_while_a_stack_is_deployed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saver = Emulator().saver(folder)
    monkeypatch.setattr(saver, "_is_deploying", lambda: True)
    saver.save()
    assert not list(folder.iterdir())


def test_a_set_during_which_a_deployment_began_is_discarded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saver = Emulator().saver(folder)
    answers = iter([False, True])
    monkeypatch.setattr(saver, "_is_deploying", lambda: next(answers))
    saver.save()
    assert not list(folder.iterdir())
    assert saver.unsaved == ()


def test_replaced_code_is_removed_only_after_a_complete_save(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Service:
        removed_except: set[str] | None = None

        def _prune_orphan_code_blobs(self, referenced: set[str]) -> None:
            self.removed_except = referenced

    service = Service()
    saver = Emulator().saver(folder, remove_unused_code=defer_code_removal(service))
    service._prune_orphan_code_blobs({"new"})
    monkeypatch.setattr(saver, "_is_deploying", lambda: True)
    saver.save()
    assert service.removed_except is None
    monkeypatch.setattr(saver, "_is_deploying", lambda: False)
    saver.save()
    assert service.removed_except == {"new"}


def test_a_folder_that_cannot_be_written_does_not_end_the_saver(folder: Path) -> None:
    saver = Emulator().saver(folder)
    shutil.rmtree(folder)
    saver.save()
    assert saver.fault


def test_nothing_is_saved_after_the_last_save(folder: Path) -> None:
    """What the stop itself causes, such as failed runs whose functions were stopped, is not part of the state."""
    emulator = Emulator()
    saver = emulator.saver(folder)
    assert saver.close()
    emulator.state = {"n": "failed by the stop"}
    saver.save()
    assert '"n": 1' in (folder / "s3.json").read_text()
