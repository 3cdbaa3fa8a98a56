"""A cloud that a test may stop and kill, and the processes of its functions."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from infra.local import cloud as local
from infra.local.emulator import status
from infra.local.emulator.process import StopResult
from infra.local.emulator.status import RunningEmulator, running_emulator
from infra.local.ports import free_port
from tests.e2e.conftest import ROOT, CloudSite
from tests.e2e.observed_model import ObservedModel

RUN_SECONDS = 240.0  # for a run; on a busy machine the first import of a layer takes long


class RestartableCloud:
    """A cloud that a test may stop and kill.

    Parameters
    ----------
    home : the folder of its state
    like : the folder of another cloud, whose layers and compiled files it shares
    """

    def __init__(self, home: Path, like: Path) -> None:
        home.mkdir()
        for shared in ("layers", "pycache"):
            (like / shared).mkdir(exist_ok=True)
            (home / shared).symlink_to(like / shared)
        self.site = CloudSite(home.resolve(), free_port(), ROOT / "template.yaml")
        self.cloud = self.site.up()

    @property
    def emulator(self) -> RunningEmulator:
        """The running emulator."""
        emulator = running_emulator(self.site.home)
        assert emulator
        return emulator

    def model(self, name: str) -> ObservedModel:
        """Return a model on the cloud as it runs now."""
        return ObservedModel(self.cloud, name)

    def save(self) -> None:
        """Save the state, which happens every two seconds too."""
        status.save(self.emulator)

    def kill(self) -> None:
        """Kill the emulator and all processes of functions, as when a laptop loses its power."""
        os.kill(self.emulator.pid, signal.SIGKILL)
        while running_emulator(self.site.home):
            time.sleep(0.02)
        for pid, _ in function_processes(self.cloud):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start(self) -> None:
        """Start the cloud again."""
        self.cloud = self.site.up()

    def kill_and_start(self) -> None:
        """Kill the cloud and start it again."""
        self.kill()
        self.start()

    def stop_and_start(self) -> StopResult:
        """Stop the cloud as `modelcycle down` does, and start it again."""
        stopped = local.down(home=self.site.home)
        self.start()
        return stopped


@contextlib.contextmanager
def kill_first_processes(
    cloud: local.LocalCloud, functions: set[str], age: Callable[[str], float] = lambda name: 0.0
) -> Iterator[set[str]]:
    """Kill the first process of each function; yields the names of those that were killed.

    Parameters
    ----------
    functions : their names in the template
    age : by name, for how many seconds its process has been there when it is killed
    """
    killed: set[str] = set()
    seen_at: dict[int, float] = {}
    ended = threading.Event()

    def kill() -> None:
        while not ended.wait(0.01):
            for pid, name in function_processes(cloud):
                seen_for = time.monotonic() - seen_at.setdefault(pid, time.monotonic())
                if name in functions - killed and seen_for >= age(name):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        killed.add(name)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        ended.set()
        thread.join()


def function_processes(cloud: local.LocalCloud) -> Iterator[tuple[int, str]]:
    """Yield pid and name in the template of each process of a function."""
    of_this_cloud = f"AWS_ENDPOINT_URL={cloud.endpoint}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                variables = (folder / "environ").read_bytes().split(b"\0")
                prefix = b"AWS_LAMBDA_FUNCTION_NAME=modelcycle-"
                name = next((variable for variable in variables if variable.startswith(prefix)), None)
                if name and of_this_cloud in variables:
                    yield int(folder.name), name.decode().split("-")[1]
