"""A local cloud in which a model has lived, and a Docker engine for those tests that need one."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.local import cloud
from infra.local.invocation.invoke import FunctionHost
from infra.local.invocation.sam_files import write_sam_files
from infra.local.ports import free_port
from tests.contract.rows import CSV, PIPELINE

ROOT = Path(__file__).parents[2]
MODEL = "sour-plums"
SAM = ROOT / "build" / "sam" / "bin" / "sam"
ENGINE_FOLDER = ROOT / "build" / "docker"
TIMEOUT = 600  # seconds of one command
not_tested: list[str] = []


@dataclass(frozen=True)
class Lived:
    """A local cloud with a live model.

    Parameters
    ----------
    home : folder of the cloud's state
    data : the rows of the model
    files : what `sam local` needs: env.json and events
    predicted : what the command line printed for the first rows
    """

    home: Path
    port: int
    data: Path
    files: Path
    predicted: str

    def modelcycle(self, *words: str, status: int = 0) -> str:
        """Run a command, which has to exit with `status`; return what it prints."""
        return run_modelcycle(self.home, self.port, *words, status=status)


def run_modelcycle(home: Path, port: int, *words: str, status: int = 0) -> str:
    variables = os.environ | {"MODELCYCLE_HOME": str(home), "MODELCYCLE_PORT": str(port)}
    ended = subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=TIMEOUT,
    )  # fmt: skip
    assert ended.returncode == status, ended.stderr + ended.stdout
    return ended.stdout


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lived]:
    folder = tmp_path_factory.mktemp("sam")
    home, port, data = folder / "home", free_port(), folder / "plums.csv"
    data.write_text(CSV)
    (folder / "plums.yaml").write_text(PIPELINE)
    try:
        run_modelcycle(home, port, "run", str(folder / "plums.yaml"), "--data", str(data))
        predicted = run_modelcycle(home, port, "predict", MODEL, "--data", str(data), "--rows", "2", "--json")
        run_modelcycle(home, port, "score", MODEL, "--data", str(data), "--out", str(folder / "scored.csv"))
        run_modelcycle(home, port, "monitor", MODEL)
        run_modelcycle(home, port, "rollback", MODEL, status=3)  # refused: there is no other version
        # where nobody can be asked, nothing is erased and the look is kept: its functions can be called again
        size = next(csv.DictReader(io.StringIO(CSV)))["größe"]
        run_modelcycle(home, port, "erase", MODEL, "--subject", f"größe={size}", "--why", "asked", "--json", status=3)
        assert write_sam_files(home, folder / "files") is None
        yield Lived(home, port, data, folder / "files", predicted)
    finally:
        cloud.down(home=home)


@pytest.fixture(scope="session")
def host(lived: Lived) -> FunctionHost:
    return FunctionHost(lived.home)


@pytest.fixture(scope="session")
def engine() -> Iterator[dict[str, str]]:
    """Variables for a Docker engine that has the image: one that is there, or one of our own where that is possible."""
    if os.environ.get("DOCKER") == "no":
        skip("DOCKER=no")
    if answers(dict(os.environ)):
        yield dict(os.environ)
        return
    started = by_hand("start")
    if started.returncode:
        skip(f"no Docker engine answers, and none could be started here: {started.stderr.strip()}")
    try:
        image = by_hand("image")
        if image.returncode:
            skip(f"there is no image of Lambda's Python 3.13: {image.stderr.strip()}")
        yield dict(os.environ) | {"DOCKER_HOST": started.stdout.strip()}
    finally:
        by_hand("stop")


@pytest.fixture(scope="session")
def built(engine: dict[str, str]) -> dict[str, str]:
    """Variables for `sam local`, after `sam build`."""
    variables = {"PATH": os.defpath, "HOME": os.environ.get("HOME", "/"), "SAM_CLI_TELEMETRY": "0", "PWD": str(ROOT)}
    variables |= {"UV_SYSTEM_CERTS": "1"} | {n: v for n, v in engine.items() if n.startswith(("DOCKER_", "SAM_CLI_"))}
    for name in (
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_CACHE_DIR",
        "SSL_CERT_FILE",
        "HTTPS_PROXY",
        "NO_PROXY",
    ):
        if name in engine:
            variables[name] = engine[name]
    subprocess.run([str(SAM), "build"], cwd=ROOT, env=variables, check=True, capture_output=True, timeout=TIMEOUT)
    return variables


def answers(variables: dict[str, str]) -> bool:
    """Return whether a Docker engine answers the SAM CLI's own client."""
    asked = [str(SAM.with_name("python")), "-c", "import docker; docker.from_env(timeout=5).ping()"]
    return subprocess.run(asked, env=variables, capture_output=True, check=False).returncode == 0


def by_hand(verb: str) -> subprocess.CompletedProcess[str]:
    with (ENGINE_FOLDER.parent / f"docker-{verb}.err").open("w+") as errors:  # the engine would keep a pipe open
        command = [str(ROOT / ".ci" / "docker-by-hand"), verb, str(ENGINE_FOLDER)]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, check=False, timeout=TIMEOUT)
        errors.seek(0)
        return subprocess.CompletedProcess(command, ended.returncode, ended.stdout, errors.read())


def skip(reason: str) -> None:
    not_tested.append(reason)
    pytest.skip(f"SAM LOCAL WAS NOT TESTED: {reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not_tested:
        terminalreporter.write_line(
            f"`sam local` WAS NOT TESTED: {not_tested[0]}. The functions were called without Docker.",
            red=True,
            bold=True,
        )
