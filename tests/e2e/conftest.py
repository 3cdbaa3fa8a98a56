"""A local cloud of the tests' own: a free port, a temporary home, and the sample stack beside the real one."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.local import cloud as local

if TYPE_CHECKING:
    from tests.e2e.mortal import Mortal

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Place:
    """Where a cloud of the tests lives; `up` brings it there, again if need be."""

    home: Path
    port: int
    template: Path

    def up(self, lines: list[str] | None = None) -> local.Cloud:
        said = [] if lines is None else lines
        return local.up(port=self.port, home=self.home, template=self.template, say=said.append)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def real_place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The project's own template."""
    place = Place(tmp_path_factory.mktemp("cloud"), free_port(), ROOT / "template.yaml")
    yield place
    local.down(home=place.home)


@pytest.fixture(scope="session")
def cloud(real_place: Place) -> local.Cloud:
    """The project's own stack, deployed once for all tests."""
    return real_place.up()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A copy of the sample project, which a test may change."""
    folder = tmp_path_factory.mktemp("sample")
    shutil.copytree(HERE / "sample", folder / "project")
    place = Place(folder / "home", free_port(), folder / "project" / "template.yaml")
    yield place
    local.down(home=place.home)


@pytest.fixture(scope="module")
def mortal(real_place: Place, cloud: local.Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    """The project's own stack in a cloud that a test may kill."""
    from tests.e2e.mortal import Mortal

    mortal = Mortal(tmp_path_factory.mktemp("mortal") / "home", real_place.home)
    yield mortal
    local.down(home=mortal.place.home)
