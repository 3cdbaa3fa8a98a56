"""The fork servers: one process for each list of layers, of which processes of functions start as forks.

A function's process would otherwise start a Python and import its packages: up to three seconds of computing, some
twenty times in a run. Where there is no server, that is what happens.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from infra.local.emulator.function_processes import count_processes
from infra.local.fork_plans import SERVER_PROGRAM, ForkPlan, plans_file, read_plans, sockets_folder

POLL_INTERVAL = 0.2  # seconds
MAX_STARTS = 3  # of a server that is killed
MAX_SERVERS = 8  # bounds the memory, whatever a template has
MAX_STARTING = 2  # the deployment and the functions that run meanwhile share the cores with them
# On macOS, a process that has loaded Accelerate or Objective-C must not fork without `exec`.
FORKS_ARE_SAFE = sys.platform == "linux"


@dataclass
class _Server:
    """A started server.

    Parameters
    ----------
    process : as which it runs
    alive : the end of a pipe that it reads; it ends when this is closed
    imported : the end of a pipe that becomes readable when it has imported its modules or ended; None after that
    starts : how often it was started
    """

    process: subprocess.Popen[bytes]
    alive: int
    imported: int | None
    starts: int


class ForkServers:
    """Starts and ends the servers of the last deployment.

    Parameters
    ----------
    home : folder of the cloud's state
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self._servers: dict[str, _Server] = {}
        self._retired: list[_Server] = []
        self._read_at = -1
        self._plans: dict[str, ForkPlan] = {}
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def watch(self) -> None:
        """Follow the deployments in the background."""
        if FORKS_ARE_SAFE:
            sockets_folder(self.home).mkdir(exist_ok=True, mode=0o700)
            threading.Thread(target=self._watch, name="fork-servers", daemon=True).start()

    def close(self) -> None:
        """End all servers with their forks."""
        self._closed.set()
        with self._lock:
            servers = [*self._servers.values(), *self._retired]
            for server in servers:
                server.process.kill()  # the kernel ends its forks
            for server in servers:
                server.process.wait()

    def _watch(self) -> None:
        while not self._closed.wait(POLL_INTERVAL):
            self._read()
            starting = sum(_is_starting(server) for server in self._servers.values())
            for name, plan in self._plans.items():
                if starting < MAX_STARTING and self._is_due(name):
                    self._start(name, plan)
                    starting += 1
            for server in [server for server in self._retired if server.process.poll() is not None]:
                _forget(server)
                self._retired.remove(server)

    def _read(self) -> None:
        try:
            changed_at = plans_file(self.home).stat().st_mtime_ns
        except OSError:
            return
        if changed_at == self._read_at:
            return
        self._read_at = changed_at
        self._plans = {plan.name: plan for plan in read_plans(self.home)[:MAX_SERVERS]}
        for name in [name for name in self._servers if name not in self._plans]:
            server = self._servers.pop(name)
            (sockets_folder(self.home) / name).unlink(missing_ok=True)
            server.process.terminate()  # it ends with its last fork
            self._retired.append(server)

    def _is_due(self, name: str) -> bool:
        server = self._servers.get(name)
        if server is None:
            return True
        status = server.process.poll()
        if status is None:
            return False
        if status == 0:  # it was idle; the first function after that started without one
            return count_processes() > 0
        # one that ended with an error says why in the log, and would again
        return status < 0 and server.starts < MAX_STARTS

    def _start(self, name: str, plan: ForkPlan) -> None:
        before = self._servers.get(name)
        if before is not None:
            _forget(before)
        starts = before.starts + 1 if before and before.process.returncode else 1
        alive, held = os.pipe()
        imported, ready = os.pipe()
        os.set_blocking(imported, False)
        with self._lock:
            if self._closed.is_set():
                return
            process = subprocess.Popen(
                [plan.python, "-s", "-S", str(SERVER_PROGRAM), name, str(alive), str(ready), *plan.modules],
                cwd=sockets_folder(self.home),
                env=self._environment(plan),
                stdin=subprocess.DEVNULL,
                pass_fds=(alive, ready),
            )
            self._servers[name] = _Server(process, held, imported, starts)
        os.close(alive)
        os.close(ready)

    @staticmethod
    def _environment(plan: ForkPlan) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LC_ALL") if name in os.environ}
        return inherited | plan.environment() | dict(plan.variables)


def _is_starting(server: _Server) -> bool:
    """Return whether a server still imports."""
    if server.imported is None:
        return False
    try:
        os.read(server.imported, 1)
    except BlockingIOError:
        return True
    os.close(server.imported)
    server.imported = None
    return False


def _forget(server: _Server) -> None:
    """Close the pipes of a server that has ended."""
    os.close(server.alive)
    if server.imported is not None:
        os.close(server.imported)
