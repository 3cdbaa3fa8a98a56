"""A LocalStack without Docker, started once, and a copy of the project that is deployed to it and may be changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.local.clients import ClientFactory
from infra.local.cloud import LocalCloud
from infra.local.deployment.stack import stack_outputs, stack_resources
from infra.local.faults import LayerNotInstalled
from infra.local.localstack import environment, place
from tests.e2e.conftest import free_port

ROOT = Path(__file__).parents[2]
STACK = "modelcycle-dev"


@dataclass(frozen=True)
class Deployed:
    """The project on a LocalStack."""

    home: Path
    port: int
    project: Path

    def up(self) -> LocalCloud:
        """Deploy what has changed."""
        endpoint = place.up("dev", start=True, port=self.port, home=self.home, template=self.project / "template.yaml")
        admin = ClientFactory(endpoint, "test", "test")
        outputs = stack_outputs(STACK, admin)
        api = next(r["id"] for name, r in stack_resources(STACK, admin).items() if name == "Api")
        outputs["ApiUrl"] = f"{endpoint}/restapis/{api}/live/_user_request_"
        return LocalCloud(endpoint, outputs, (), admin, admin)


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("localstack")
    try:
        environment.install(print)
    except LayerNotInstalled as fault:
        pytest.skip(f"LOCALSTACK WAS NOT TESTED: {fault}")
    project = folder / "project"
    project.mkdir()
    shutil.copy(ROOT / "template.yaml", project)
    for name in ("functions", "infra", "layers", "statemachines"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    yield Deployed(folder / "home", free_port(), project)
    place.down(home=folder / "home")


@pytest.fixture(scope="session")
def cloud(deployed: Deployed) -> LocalCloud:
    return deployed.up()
