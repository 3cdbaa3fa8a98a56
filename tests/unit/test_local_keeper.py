"""A kill at any moment leaves one whole set of state."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.local import keeper
from infra.local.keeper import Keeper, keep_code_until_saved, recover


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def _writer(monkeypatch: pytest.MonkeyPatch) -> None:
    """One plain file for each service, as MiniStack writes them."""

    def write(services: dict[str, str | None], folder: Path) -> None:
        for name, text in services.items():
            if text is not None:
                (folder / f"{name}.json").write_text(text)

    monkeypatch.setattr(keeper, "_write", write)


def saved(state: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in state.glob("*.json")}


def test_a_save_replaces_the_whole_set(state: Path) -> None:
    one = Keeper(state, lambda: {"s3": "1", "lambda": "1"})
    one.save()
    one.save({"s3": "2", "lambda": "2"})
    assert saved(state) == {"s3": "2", "lambda": "2"}
    assert [path.name for path in state.parent.iterdir()] == ["state"]


def test_a_service_that_says_nothing_keeps_what_it_had(state: Path) -> None:
    Keeper(state, lambda: {"s3": "1", "lambda": "1"}).save()
    Keeper(state, lambda: {"s3": "2", "lambda": None}).save()
    assert saved(state) == {"s3": "2", "lambda": "1"}


def test_nothing_is_saved_while_a_stack_is_deployed(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Keeper(state, lambda: {"s3": "half a deploy"})
    monkeypatch.setattr(one, "_is_deploying", lambda: True)
    one.save()
    assert saved(state) == {}


def test_a_set_that_a_deploy_began_under_is_dropped(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Keeper(state, lambda: {"s3": "torn"})
    answers = iter([False, True])
    monkeypatch.setattr(one, "_is_deploying", lambda: next(answers))
    one.save()
    assert saved(state) == {}


@pytest.mark.parametrize("cut", ["written", "between the renames", "before the last removal"])
def test_a_kill_in_the_middle_of_a_save_leaves_one_whole_set(state: Path, cut: str) -> None:
    following, before = state.with_name("state.next"), state.with_name("state.before")
    (state / "s3.json").write_text("old")
    following.mkdir()
    (following / "s3.json").write_text("new")
    if cut != "written":
        state.rename(before)
    if cut == "before the last removal":
        following.rename(state)
    recover(state)
    assert saved(state) == {"s3": "old" if cut == "written" else "new"}
    assert [path.name for path in state.parent.iterdir()] == ["state"]


def test_replaced_code_is_removed_only_after_a_whole_save(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Service:
        pruned: set[str] | None = None

        def _prune_orphan_code_blobs(self, referenced: set[str]) -> None:
            self.pruned = referenced

    service = Service()
    forget = keep_code_until_saved(service)
    one = Keeper(state, dict, forget)
    service._prune_orphan_code_blobs({"new"})
    monkeypatch.setattr(one, "_is_deploying", lambda: True)
    one.save()
    assert service.pruned is None
    monkeypatch.setattr(one, "_is_deploying", lambda: False)
    one.save()
    assert service.pruned == {"new"}
