"""Starts and stops a LocalStack of our own as a plain process."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from infra.local.faults import CloudCrashed, PortTaken, RunsElsewhere
from infra.local.localstack.environment import install, variables
from infra.local.process_end import end_process

MINISTACK_EDITION = "light"
PROGRAM = "modelcycle_localstack"
START_TIMEOUT = 90.0  # seconds; 6 on an idle machine
STOP_TIMEOUT = 30.0  # seconds; LocalStack takes 6 to 10
POLL_INTERVAL = 0.1  # seconds


@dataclass(frozen=True)
class Started:
    """A LocalStack that `start` has started, and that has not been stopped since."""

    pid: int
    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def start(home: Path, port: int | None, say: Callable[[str], None]) -> Started:
    """Return the LocalStack of a folder; start it if it does not run.

    Parameters
    ----------
    home : folder of its files
    port : on loopback; None means that of the running one, else 4566
    say : prints a line of progress

    Raises
    ------
    LayerNotInstalled, PortTaken, RunsElsewhere, CloudCrashed
    """
    running = started(home)
    if running and port not in (None, running.port):
        raise RunsElsewhere(
            f"LocalStack already runs on port {running.port}.",
            where=running.endpoint,
            remedy="Stop it with `modelcycle down --place localstack`, or leave out --port.",
        )
    if running and version(running.endpoint):
        return running
    stop(home)  # one that does not answer
    port = port or 4566
    python = install(say)
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise PortTaken(
                f"Port {port} is used by another program.",
                where=f"127.0.0.1:{port}",
                remedy="Stop it, or choose another port with --port. To deploy to a LocalStack that runs there, "
                "leave out --start.",
            )
    say("starting LocalStack")
    return _launch(home, port, python)


def stop(home: Path) -> bool:
    """Stop the LocalStack of a folder; return whether one ran. What is in it is gone."""
    running = started(home)
    _record(home).unlink(missing_ok=True)
    if running is None:
        return False
    end_process(running.pid, STOP_TIMEOUT)
    return True


def started(home: Path) -> Started | None:
    """Return the LocalStack of a folder, or None if its process does not exist."""
    try:
        content = json.loads(_record(home).read_text())
        running = Started(int(content["pid"]), int(content["port"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    command = subprocess.run(
        ["ps", "-p", str(running.pid), "-o", "stat=,command="], capture_output=True, text=True, check=False
    ).stdout
    # the system may have given the id to another program
    return running if PROGRAM in command and not command.startswith("Z") else None


def version(endpoint: str) -> str | None:
    """Return the version of the LocalStack at an endpoint, or None if none answers."""
    try:
        with urllib.request.urlopen(f"{endpoint}/_localstack/health", timeout=5.0) as response:  # noqa: S310 - http
            health = json.load(response)
        # the local cloud answers there too, by an edition that LocalStack does not have
        return None if health.get("edition") == MINISTACK_EDITION else str(health["version"])
    except (OSError, ValueError, AttributeError, KeyError):
        return None


def log_file(home: Path) -> Path:
    """What LocalStack prints."""
    return home / "localstack.log"


def _launch(home: Path, port: int, python: Path) -> Started:
    for folder in (home, home / "home", home / "tmp"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log_file(home).open("wb") as log:
        process = subprocess.Popen(
            [str(python), "-m", PROGRAM], cwd=home, env=variables(home, port), stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    launched = Started(process.pid, port)
    _record(home).write_text(json.dumps({"pid": launched.pid, "port": launched.port}))
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        if version(launched.endpoint):
            return launched
        time.sleep(POLL_INTERVAL)
    status = process.poll()
    stop(home)
    reason = f"it did not answer within {START_TIMEOUT:.0f} s" if status is None else f"it ended with status {status}"
    lines = log_file(home).read_text(errors="replace").strip().splitlines()
    raise CloudCrashed(
        f"LocalStack did not start: {reason}. The last line of its log: {lines[-1] if lines else '(empty)'}",
        where=str(log_file(home)),
        remedy="Read that file, then run the command again.",
    )


def _record(home: Path) -> Path:
    return home / "process.json"
