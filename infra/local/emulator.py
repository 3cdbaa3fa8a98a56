"""Starts, finds and stops the process of the local cloud."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local import root_key
from infra.local.faults import CloudCrashed, DiskFull, PortTaken, RunsElsewhere
from infra.local.guard import SAVE_PATH, STATUS_PATH
from infra.local.launcher import environment, unsaved_mark

ROOT = Path(__file__).resolve().parents[2]
ROOM_NEEDED = 512 * 1024 * 1024  # bytes
START_WITHIN = 30.0  # seconds
STOP_WITHIN = 20.0  # seconds
ANSWER_WITHIN = 10.0  # seconds; a large upload makes it stall for some


@dataclass(frozen=True)
class Emulator:
    """One running process.

    `workers` counts the processes of functions that are warm, `running` names the executions under way, and
    `recovering` says whether it still ends what an earlier stop cut off. `save_fault` is what the last save said; then
    the disk lacks what came since `saved_at`, a POSIX time, in the services `unsaved`.
    """

    pid: int
    port: int
    workers: int
    save_fault: str | None
    running: tuple[str, ...] = ()
    recovering: bool = False
    saved_at: float = 0.0
    unsaved: tuple[str, ...] = ()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Stopped:
    """What `stop` found: whether a process ran, what it cut off, and what of its state is not on disk."""

    was_running: bool
    cut_off: tuple[str, ...] = ()
    lost: str | None = None


def find(home: Path) -> Emulator | None:
    """The process that serves this home, or None. A stale pid file is nothing to worry about."""
    recorded = _recorded(home)
    if recorded is None:
        return None
    answer = _ask(recorded["port"], ANSWER_WITHIN)
    return _emulator(answer, recorded["port"]) if answer and answer.get("home") == str(home) else None


def _emulator(answer: dict[str, Any], port: int) -> Emulator:
    return Emulator(
        answer["pid"], port, answer["workers"], answer["save_fault"], tuple(answer.get("running", ())),
        bool(answer.get("recovering")), float(answer.get("saved_at", 0.0)), tuple(answer.get("unsaved", ())),
    )  # fmt: skip


def start(home: Path, port: int) -> Emulator:
    """The process that serves this home, started if need be.

    Raises
    ------
    PortTaken, RunsElsewhere, DiskFull, CloudCrashed
    """
    running = find(home)
    if running and running.port != port:
        raise RunsElsewhere(
            f"The local cloud already runs on port {running.port}.",
            where=running.endpoint,
            remedy=f"Stop it with `modelcycle down`, or use --port {running.port}.",
        )
    if running and root_key.load(home):
        return running
    _stop_what_cannot_be_used(home)
    _refuse_taken_port(home, port)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    _refuse_full_disk(home)
    root_key.make(home)
    return _launch(home, port)


def stop(home: Path, *, force: bool = False) -> Stopped:
    """Stop the process in good order, so that everything is saved.

    Parameters
    ----------
    force : stop it although what it holds cannot be saved

    Raises
    ------
    DiskFull
        The state cannot be saved; the process runs on.
    """
    recorded = _recorded(home)
    pid = recorded["pid"] if recorded else None
    if recorded is None or pid is None or not _is_launcher(pid):
        _pid_file(home).unlink(missing_ok=True)
        return Stopped(False)
    answer = _ask(recorded["port"], ANSWER_WITHIN, SAVE_PATH)
    found = _emulator(answer, recorded["port"]) if answer else None
    if found and found.save_fault and not force:
        raise DiskFull(
            f"The local cloud was not stopped, since {losses(found)} cannot be saved: {found.save_fault}.",
            where=str(home),
            remedy="Make room there, then run `modelcycle down` again; `modelcycle down --force` loses it.",
        )
    _signal(pid, signal.SIGTERM)
    if not _gone_within(pid, STOP_WITHIN):
        _signal(pid, signal.SIGKILL)
        _gone_within(pid, 5.0)
    _pid_file(home).unlink(missing_ok=True)
    lost = None
    if unsaved_mark(home).exists():
        unsaved_mark(home).unlink()
        lost = losses(found) if found else "what came in its last seconds"
    return Stopped(True, found.running if found else (), lost)


# What a person knows of what a service holds.
HOLDS = {
    "dynamodb": "the registry of models, versions, routes and runs",
    "stepfunctions": "the steps of runs",
    "firehose": "captured predictions",
    "cloudwatch": "metrics",
    "cloudwatch_logs": "logs",
    "sqs": "messages in queues",
    "eventbridge": "events on their way",
    "objects": "files in buckets",
}


def losses(found: Emulator) -> str:
    """What of a running cloud is not on disk, in words."""
    what = [HOLDS[name] for name in HOLDS if name in found.unsaved] or ["everything"]
    return f"what came since {time.strftime('%H:%M:%S', time.localtime(found.saved_at))} ({', '.join(what)})"


def save(running: Emulator) -> None:
    """Have the state written to disk now.

    Raises
    ------
    DiskFull
    """
    answer = _ask(running.port, ANSWER_WITHIN, SAVE_PATH)
    if answer is None or answer["save_fault"]:
        raise DiskFull(
            f"The state of the local cloud could not be saved: {answer['save_fault'] if answer else 'no answer'}",
            where=running.endpoint,
            remedy="Make room on the disk, then run `modelcycle up` again.",
        )


def crashed(home: Path) -> bool:
    """Whether a process was started here and ended without being stopped."""
    recorded = _recorded(home)
    return recorded is not None and not _is_launcher(recorded["pid"])


def log_file(home: Path) -> Path:
    return home / "cloud.log"


def _launch(home: Path, port: int) -> Emulator:
    with contextlib.suppress(FileNotFoundError):
        log_file(home).replace(home / "cloud.before.log")
    with log_file(home).open("ab") as log:  # appending, so that the process itself can shorten it
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local.launcher", "--home", str(home), "--port", str(port)],
            cwd=ROOT,
            env=environment(home, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _pid_file(home).write_text(json.dumps({"pid": process.pid, "port": port}))
    deadline = time.monotonic() + START_WITHIN
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        running = find(home)
        if running:
            return running
        time.sleep(0.05)
    ended = process.poll()
    if ended is None:
        process.kill()
        process.wait()
    _pid_file(home).unlink(missing_ok=True)
    said = "it did not answer" if ended is None else f"it ended with status {ended}"
    raise CloudCrashed(
        f"The local cloud did not start: {said}. Its last line: {_last_line(log_file(home))}",
        where=str(log_file(home)),
        remedy="Read that file; `modelcycle down` and `modelcycle up` start anew, nothing saved is lost.",
    )


def _refuse_taken_port(home: Path, port: int) -> None:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return
    other = _ask(port, 1.0)
    if other:
        what = f"Port {port} is taken by the local cloud of another folder, {other.get('home')}."
    else:
        what = f"Port {port} is taken by another program."
    raise PortTaken(
        what,
        where=f"127.0.0.1:{port}",
        remedy="Stop that one, or choose another port: `modelcycle up --port 4567`.",
    )


def _refuse_full_disk(home: Path) -> None:
    free = shutil.disk_usage(home).free
    if free < ROOM_NEEDED:
        raise DiskFull(
            f"Only {free // 2**20} MiB are free and the local cloud needs {ROOM_NEEDED // 2**20}.",
            where=str(home),
            remedy="Make room, or name another folder with the variable MODELCYCLE_HOME.",
        )


def _stop_what_cannot_be_used(home: Path) -> None:
    """A launcher that no longer answers would hold the port for ever; one without a root key knows nobody."""
    recorded = _recorded(home)
    if recorded and _is_launcher(recorded["pid"]):
        stop(home, force=True)


def _ask(port: int, seconds: float, path: str = STATUS_PATH) -> dict[str, Any] | None:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=seconds) as answer:
            body = json.load(answer)
    except (OSError, ValueError):
        return None
    return body if isinstance(body, dict) and "workers" in body else None


def _recorded(home: Path) -> dict[str, int] | None:
    try:
        recorded = json.loads(_pid_file(home).read_text())
        return {"pid": int(recorded["pid"]), "port": int(recorded["port"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _pid_file(home: Path) -> Path:
    return home / "cloud.pid"


def _is_launcher(pid: int) -> bool:
    """Whether the pid is still our process: the system may have given the number to another one."""
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return "infra.local.launcher" in listed.stdout


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)  # it is our child when the same process started it
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "(nothing)"
