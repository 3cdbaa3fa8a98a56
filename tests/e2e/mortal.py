"""A cloud that a test may stop and kill, and how far its runs have come."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from infra.local import cloud as local
from infra.local import emulator
from tests.e2e.conftest import ROOT, Place, free_port
from tests.e2e.watch import Watch

WITHIN = 240.0  # seconds; on a busy machine the first import of a layer takes many


class Mortal:
    """A cloud that a test may kill; its layers, and what Python made of them, are those of the other tests' cloud."""

    def __init__(self, home: Path, like: Path) -> None:
        home.mkdir()
        for shared in ("layers", "pycache"):
            (like / shared).mkdir(exist_ok=True)
            (home / shared).symlink_to(like / shared)
        self.place = Place(home.resolve(), free_port(), ROOT / "template.yaml")
        self.cloud = self.place.up()

    def watch(self, model: str) -> Watch:
        return Watch(self.cloud, model)

    def kill(self) -> None:
        """SIGKILL, and its functions with it: on a laptop that is switched off nothing lives on."""
        running = emulator.find(self.place.home)
        assert running
        os.kill(running.pid, signal.SIGKILL)
        while emulator.find(self.place.home):
            time.sleep(0.02)
        for pid, _ in processes(self.cloud):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_and_start(self) -> None:
        self.kill()
        self.cloud = self.place.up()

    def save(self) -> None:
        """What the keeper does every two seconds."""
        running = emulator.find(self.place.home)
        assert running
        emulator.save(running)

    def stop_and_start(self) -> local.Stopped:
        """In good order, as `modelcycle down` does."""
        stopped = local.down(home=self.place.home)
        self.cloud = self.place.up()
        return stopped


def running(watch: Watch) -> list[str]:
    return [e["executionArn"] for e in watch.executions() if e["status"] == "RUNNING"]


def reached(watch: Watch, state: str) -> None:
    """Until the run of the model that is under way has entered a state."""
    states = watch.client("stepfunctions")
    end = time.monotonic() + WITHIN
    while time.monotonic() < end:
        for execution in running(watch):
            events = states.get_execution_history(executionArn=execution, maxResults=1000)["events"]
            if any(event.get("stateEnteredEventDetails", {}).get("name") == state for event in events):
                return
        time.sleep(0.03)
    raise AssertionError(f"{state} was not reached: {watch.runs()}")


def processes(cloud: local.Cloud) -> Iterator[tuple[int, str]]:
    """The processes of a cloud's functions: pid, and the function's name in the template."""
    ours = f"AWS_ENDPOINT_URL={cloud.endpoint}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                told = (folder / "environ").read_bytes().split(b"\0")
                name = next((t for t in told if t.startswith(b"AWS_LAMBDA_FUNCTION_NAME=modelcycle-")), None)
                if name and ours in told:
                    yield int(folder.name), name.decode().split("-")[1]
