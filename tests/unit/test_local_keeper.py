"""When the state is saved, and what is said where it cannot be."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from infra.local import keeper
from infra.local.keeper import Keeper, keep_code_until_saved
from infra.local.snapshot import Snapshot


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(keeper, "time", clock)
    return clock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "services"
    folder.mkdir()
    return folder


class Cloud:
    """A service, and how much was asked of it."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {"n": 1}
        self.asked = 0
        self.works = False

    def services(self) -> dict[str, Any]:
        return {"s3": lambda: self.state}

    def keeper(self, folder: Path, **more: Any) -> Keeper:
        return Keeper(
            Snapshot(folder, self.services), activity=lambda: self.asked, is_working=lambda: self.works, **more
        )


def test_an_idle_cloud_is_looked_at_once_a_minute_and_writes_nothing(folder: Path, clock: Clock) -> None:
    cloud = Cloud()
    one = cloud.keeper(folder)
    looks = 0
    for _ in range(600):
        clock.now += keeper.SAVE_EVERY
        if one.is_due():
            looks += 1
            one.save()
            if looks == 1:
                written = one.written
    assert one.written == written > 0
    assert looks <= 600 * keeper.SAVE_EVERY / keeper.LOOK_EVERY + keeper.SETTLED_AFTER / keeper.SAVE_EVERY + 2


def test_what_a_request_changed_is_on_disk_two_seconds_later(folder: Path, clock: Clock) -> None:
    cloud = Cloud()
    one = cloud.keeper(folder)
    one.is_due()
    one.save()
    clock.now += 30
    assert not one.is_due()
    cloud.asked, cloud.state = 1, {"n": 2}
    clock.now += keeper.SAVE_EVERY
    assert one.is_due()
    one.save()
    assert '"n": 2' in (folder / "s3.json").read_text()


def test_a_function_that_works_without_a_request_is_waited_for(folder: Path, clock: Clock) -> None:
    cloud = Cloud()
    one = cloud.keeper(folder)
    one.is_due()
    one.save()
    clock.now += 30
    cloud.works = True
    assert one.is_due()


def test_what_cannot_be_saved_is_told_until_it_is(folder: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud()
    one = cloud.keeper(folder)
    one.save()
    since = one.saved_at
    write = Path.write_bytes

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    cloud.state = {"n": 2}
    clock.now += 100
    one.save()
    assert one.fault and "No space left" in one.fault
    assert (one.unsaved, one.saved_at) == (("s3",), since)
    assert '"n": 1' in (folder / "s3.json").read_text()
    clock.now += 100
    assert one.is_due()
    monkeypatch.setattr(Path, "write_bytes", write)
    one.save()
    assert (one.fault, one.unsaved, one.saved_at) == (None, (), clock.now)


def test_an_object_that_cannot_be_written_is_told_too(folder: Path) -> None:
    class Objects:
        unwritten = 1

        def write(self) -> str | None:
            return "1 objects could not be written" if self.unwritten else None

    objects = Objects()
    one = Cloud().keeper(folder, objects=objects)
    one.save()
    assert (one.fault, one.unsaved) == ("1 objects could not be written", ("objects",))
    objects.unwritten = 0
    one.save()
    assert (one.fault, one.unsaved) == (None, ())


def test_nothing_is_saved_while_a_stack_is_deployed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Cloud().keeper(folder)
    monkeypatch.setattr(one, "_is_deploying", lambda: True)
    one.save()
    assert not list(folder.iterdir())


def test_a_set_that_a_deploy_began_under_is_dropped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Cloud().keeper(folder)
    answers = iter([False, True])
    monkeypatch.setattr(one, "_is_deploying", lambda: next(answers))
    one.save()
    assert not list(folder.iterdir())
    assert one.unsaved == ()


def test_replaced_code_is_removed_only_after_a_whole_save(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Service:
        pruned: set[str] | None = None

        def _prune_orphan_code_blobs(self, referenced: set[str]) -> None:
            self.pruned = referenced

    service = Service()
    one = Cloud().keeper(folder, forget_code=keep_code_until_saved(service))
    service._prune_orphan_code_blobs({"new"})
    monkeypatch.setattr(one, "_is_deploying", lambda: True)
    one.save()
    assert service.pruned is None
    monkeypatch.setattr(one, "_is_deploying", lambda: False)
    one.save()
    assert service.pruned == {"new"}


def test_a_keeper_outlives_a_folder_that_cannot_be_written(folder: Path) -> None:
    one = Cloud().keeper(folder)
    shutil.rmtree(folder)
    one.save()
    assert one.fault


def test_nothing_is_saved_after_the_last_save(folder: Path) -> None:
    """What a stop itself brings about, such as runs that fail since their functions end, is no part of the state."""
    cloud = Cloud()
    one = cloud.keeper(folder)
    assert one.close()
    cloud.state = {"n": "failed by the stop"}
    one.save()
    assert '"n": 1' in (folder / "s3.json").read_text()
