"""One lifecycle at two places: a LocalStack without Docker, and the local cloud; each is started once.

Both are deployed from a copy of the project, which a test may change.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.main import main
from infra.local import cloud as local
from infra.local.clients import ClientFactory
from infra.local.cloud import LocalCloud
from infra.local.deployment.stack import stack_outputs, stack_resources
from infra.local.faults import LayerNotInstalled
from infra.local.localstack import environment, place
from infra.local.ports import free_port
from tests.e2e.observed_model import ObservedModel
from tests.localstack.recorded_lifecycle import left_by, live
from tests.localstack.registry_content import Content

ROOT = Path(__file__).parents[2]
STACK = "modelcycle-dev"
MODEL = "plums"


@dataclass(frozen=True)
class Deployed:
    """The project on a LocalStack."""

    home: Path
    port: int
    project: Path

    @property
    def template(self) -> Path:
        return self.project / "template.yaml"

    def up(self, lines: list[str] | None = None) -> LocalCloud:
        """Deploy what has changed; progress is appended to `lines`."""
        say = [].append if lines is None else lines.append
        endpoint = place.up("dev", start=True, port=self.port, home=self.home, template=self.template, say=say)
        admin = ClientFactory(endpoint, "test", "test")
        outputs = stack_outputs(STACK, admin)
        api = next(r["id"] for name, r in stack_resources(STACK, admin).items() if name == "Api")
        outputs["ApiUrl"] = f"{endpoint}/restapis/{api}/live/_user_request_"
        return LocalCloud(endpoint, outputs, (), admin, admin)

    def command(self, place_name: str, *words: str) -> None:
        """Run a verb of the command line at one of the two places; it has to succeed."""
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("LOCALSTACK_HOST", raising=False)
            patch.setenv("MODELCYCLE_HOME", str(self.home))
            assert main([*words, "--place", place_name]) == 0, words


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("localstack")
    try:
        environment.install(print)
    except LayerNotInstalled as fault:
        not_tested = f"LOCALSTACK WAS NOT TESTED: {fault}"
        pytest.fail(not_tested) if "CI" in os.environ else pytest.skip(not_tested)
    project = folder / "project"
    project.mkdir()
    shutil.copy(ROOT / "template.yaml", project)
    for name in ("functions", "governance", "infra", "layers", "statemachines"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    yield Deployed(folder / "home", free_port(), project)
    place.down(home=folder / "home")


@pytest.fixture(scope="session")
def content_of_local_cloud(deployed: Deployed) -> Content:
    """What the lifecycle leaves in the registry of the local cloud."""
    try:
        cloud = local.up(port=free_port(), home=deployed.home, template=deployed.template)
        model = ObservedModel(cloud, MODEL)
        live(model, lambda *words: deployed.command("local", *words))
        return left_by(model)
    finally:
        local.down(home=deployed.home)


@pytest.fixture(scope="session")
def cloud(deployed: Deployed) -> LocalCloud:
    return deployed.up()


@pytest.fixture(scope="session")
def plums(deployed: Deployed, cloud: LocalCloud) -> ObservedModel:
    """A model that has lived through the lifecycle on LocalStack."""
    model = ObservedModel(cloud, MODEL)
    live(model, lambda *words: deployed.command("localstack", *words))
    return model
