"""The whole delivery on this machine: `python -m infra.delivery.local`, two stacks, dev and prod, side by side.

What .github/workflows/deliver.yml does on AWS, in the same order: one release, deployed to dev and asked there, then
promoted to prod as it is; and a release whose `predict` answers wrongly, which dev refuses and prod never sees.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.delivery.deployed import Deployed
from infra.delivery.release import Release, make_release
from infra.delivery.smoke import Smoke, SmokeFailed, smoke
from infra.local import cloud
from infra.local.clients import REGION
from infra.local.faults import CodeRefused
from infra.local.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
BROKEN_FILE = Path("functions/predict/app.py")
# each row gets the prediction of the one before it
FAULT = """

answer_rightly = handler


def handler(event, context):
    import json

    response = answer_rightly(event, context)
    answer = json.loads(response["body"])
    if "predictions" in answer:
        answer["predictions"] = answer["predictions"][-1:] + answer["predictions"][:-1]
    return response | {"body": json.dumps(answer)}
"""


@dataclass
class Target:
    """A stack on a local cloud of its own."""

    name: str
    home: Path
    port: int
    deployed: cloud.LocalCloud | None = None

    def deploy(self, release: Release) -> None:
        """Deploy a release.

        Raises
        ------
        CodeRefused
        """
        _say(f"{self.name}: deploying release {release.sha[:16]}")
        self.deployed = cloud.up(
            port=self.port, home=self.home, template=release.template, stage=self.name, say=self._say
        )

    def smoke(self) -> Smoke:
        """Take a small model through the lifecycle there.

        Raises
        ------
        SmokeFailed
        """
        if self.deployed is None:
            raise SmokeFailed(f"nothing is deployed to {self.name}")
        operator = self.deployed.operator
        stack = Deployed(operator, self.deployed.outputs, (*operator.credentials(), None), REGION)
        done = smoke(stack, self._say)
        _say(f"{self.name}: version {done.version} has answered {done.rows} rows, after {done.seconds:.0f} s")
        return done

    def facts(self) -> dict[str, tuple[str, str]]:
        """Return of each function that the API calls its code's version and the version that its alias serves."""
        if self.deployed is None:
            return {}
        functions = self.deployed.admin.client("lambda")
        facts = {}
        for page in functions.get_paginator("list_functions").paginate():
            for function in page["Functions"]:
                name = function["FunctionName"]
                step = name.split("-")[1]
                if step in ("Predict", "Decide"):
                    alias = functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"]
                    served = functions.get_function_configuration(FunctionName=name, Qualifier=alias)
                    facts[step] = served["Environment"]["Variables"]["CODE_VERSION"], alias
        return facts

    def _say(self, line: str) -> None:
        _say(f"{self.name}: {line}")


def deliver(folder: Path, *, broken: bool = True) -> None:
    """Deliver a release of this project to dev and then to prod, and have dev refuse a broken one.

    Parameters
    ----------
    folder : of the releases and of the two clouds
    broken : whether the broken release is tried, too

    Raises
    ------
    SmokeFailed : the pipeline stops; says where
    LocalCloudFault
    """
    release = make_release(ROOT, folder / "releases")
    _say(f"release {release.sha[:16]}: code {release.code[:16]}")
    with _clouds(folder) as (dev, prod):
        for target in (dev, prod):
            target.deploy(release)
            target.smoke()
        if dev.facts() and {code for code, _ in dev.facts().values()} != {code for code, _ in prod.facts().values()}:
            raise SmokeFailed("dev and prod serve different code")
        codes = {code for code, _ in prod.facts().values()}
        if codes != {release.code}:
            raise SmokeFailed(f"prod serves code {', '.join(sorted(codes))}, and the release has {release.code}")
        _say(f"promoted: dev and prod serve the same code, {release.code[:16]}")
        if broken:
            _refuse(_broken(release, folder), dev, prod)


def _refuse(release: Release, dev: Target, prod: Target) -> None:
    """Deploy a broken release to dev, which has to refuse it; prod does not see it.

    Raises
    ------
    SmokeFailed : dev took it, or serves something else than before
    """
    before = dev.facts(), prod.facts()
    _say(f"release {release.sha[:16]}: its predict gives each row the answer of another one")
    try:
        dev.deploy(release)
    except CodeRefused as refusal:
        _say(f"dev: {refusal.what}")
    else:
        raise SmokeFailed("dev took a release that answers wrongly")
    if (dev.facts(), prod.facts()) != before:
        raise SmokeFailed("after the refused release, another version serves than before")
    _say("not promoted: dev and prod serve what they served before, and answer")
    dev.smoke()


def _broken(release: Release, folder: Path) -> Release:
    """Return a release like another one, with a fault in what `predict` answers."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        project = Path(name) / "project"
        shutil.copytree(release.folder, project)
        with (project / BROKEN_FILE).open("a", encoding="utf-8") as file:
            file.write(FAULT)
        return make_release(project, folder / "releases")


@contextlib.contextmanager
def _clouds(folder: Path) -> Iterator[tuple[Target, Target]]:
    """Two clouds with the layers of this project's own; they are stopped at the end, whatever happens."""
    targets = []
    shared = ROOT / ".modelcycle" / "layers"
    shared.mkdir(parents=True, exist_ok=True)
    for name in ("dev", "prod"):
        home = folder / name
        home.mkdir(parents=True, exist_ok=True)
        if not (home / "layers").exists():
            (home / "layers").symlink_to(shared)
        targets.append(Target(name, home, free_port()))
    try:
        yield targets[0], targets[1]
    finally:
        for target in targets:
            cloud.down(home=target.home)


def _say(line: str) -> None:
    print(f"  {line}", flush=True)


def main() -> int:
    """Deliver on this machine; return the exit status."""
    started, folder = time.monotonic(), ROOT / "build" / "delivery"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        deliver(folder)
    except SmokeFailed as failure:
        print(f"The delivery has stopped: {failure}.", file=sys.stderr)
        return 1
    print(f"Delivered in {time.monotonic() - started:.0f} s; the clouds are stopped, their state is in {folder}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
