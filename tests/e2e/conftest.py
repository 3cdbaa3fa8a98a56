"""Local clouds for the tests: free ports, temporary folders, and a sample stack beside the project's own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli.main import main
from infra.local import cloud as local
from infra.local.emulator.used_permissions import permissions_file
from infra.local.permissions_report import NOTES, SKIPPED
from infra.local.ports import free_port

if TYPE_CHECKING:
    from tests.e2e.restartable_cloud import RestartableCloud

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class CloudSite:
    """Where a local cloud of the tests runs, and what is deployed there."""

    home: Path
    port: int
    template: Path

    def up(self, lines: list[str] | None = None, **parameters: str) -> local.LocalCloud:
        """Start it if it does not run, and deploy; progress is appended to `lines`."""
        progress = [] if lines is None else lines
        return local.up(
            port=self.port, home=self.home, template=self.template, say=progress.append, parameters=parameters
        )


def notes_folder(config: pytest.Config) -> Path:
    """Return the folder for notes of the tests asked for: `make test` and `make test-delivery` have their own."""
    folder = NOTES / (re.sub(r"\W+", "-", str(config.getoption("markexpr"))) or "any")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def keep_used_permissions(home: Path, config: pytest.Config, name: str) -> None:
    """Keep what the functions of a cloud have used of their permissions, for `make permissions`."""
    found = permissions_file(home)
    if found.exists():
        shutil.copy(found, notes_folder(config) / f"{name}.json")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Note which tests were skipped: what they use is not on record."""
    skipped = [report.nodeid for report in terminalreporter.getreports("skipped")]
    (notes_folder(config) / SKIPPED).write_text("".join(f"{name}\n" for name in skipped))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[CloudSite]:
    """The project's own template."""
    site = CloudSite(tmp_path_factory.mktemp("cloud"), free_port(), ROOT / "template.yaml")
    yield site
    local.down(home=site.home)
    keep_used_permissions(site.home, request.config, "project")


@pytest.fixture(scope="session")
def cloud(project: CloudSite) -> local.LocalCloud:
    """The project's own stack, deployed once for all tests."""
    return project.up()


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudSite]:
    """A copy of the sample project, which a test may change."""
    folder = tmp_path_factory.mktemp("sample")
    shutil.copytree(HERE / "sample", folder / "project")
    site = CloudSite(folder / "home", free_port(), folder / "project" / "template.yaml")
    yield site
    local.down(home=site.home)


@pytest.fixture(scope="module")
def restartable(
    project: CloudSite, cloud: local.LocalCloud, tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[RestartableCloud]:  # fmt: skip
    """The project's own stack in a cloud that a test may stop and kill."""
    from tests.e2e.restartable_cloud import RestartableCloud

    restartable = RestartableCloud(tmp_path_factory.mktemp("restartable") / "home", project.home)
    yield restartable
    local.down(home=restartable.site.home)
    keep_used_permissions(restartable.site.home, request.config, request.module.__name__.rpartition(".")[2])


@pytest.fixture
def project_variables(project: CloudSite, cloud: local.LocalCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELCYCLE_HOME", str(project.home))
    monkeypatch.setenv("MODELCYCLE_PORT", str(project.port))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command and returns its JSON object; the command has to exit with `status`."""

    def run(*words: str, status: int = 0) -> dict[str, Any]:
        ended = main([*words, "--json"])
        printed = capsys.readouterr()
        assert ended == status, printed.err + printed.out
        answer: dict[str, Any] = json.loads(printed.out)
        return answer

    return run
