"""Starts and stops the process of the emulator."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from infra.local.emulator.environment import environment, log_file, unsaved_marker
from infra.local.emulator.pid_file import ProcessRecord, read_record, remove_record, write_record
from infra.local.emulator.status import RunningEmulator, ask_emulator, running_emulator, try_save
from infra.local.faults import CloudCrashed, DiskFull, PortTaken, RunsElsewhere
from infra.local.keys import ensure_root_key, read_root_key
from infra.local.process_end import end_process

ROOT = Path(__file__).resolve().parents[3]
MIN_FREE_BYTES = 512 * 1024 * 1024
START_TIMEOUT = 30.0  # seconds
STOP_TIMEOUT = 20.0  # seconds
POLL_INTERVAL = 0.05  # seconds
LAUNCHER = "infra.local.emulator.launcher"
# also the command line of a process that an earlier version started
LAUNCHER_COMMAND = re.compile(r"infra\.local\.(emulator\.)?launcher\b")


@dataclass(frozen=True)
class StopResult:
    """What a stop ended.

    Parameters
    ----------
    was_up : whether a process ran
    interrupted : the executions in progress, each as `state machine:name`; the next start ends them
    lost : the changes that are not on disk, for people; None if everything is
    """

    was_up: bool
    interrupted: tuple[str, ...] = ()
    lost: str | None = None


def start(home: Path, port: int, code: str = "") -> RunningEmulator:
    """Return the emulator that serves this folder; start it if it does not run.

    Parameters
    ----------
    code : hash of the emulator's own code, kept for `has_other_code`

    Raises
    ------
    PortTaken, RunsElsewhere, DiskFull, CloudCrashed
    """
    running = running_emulator(home)
    if running and running.port != port:
        raise RunsElsewhere(
            f"The local cloud already runs on port {running.port}.",
            where=running.endpoint,
            remedy=f"Stop it with `modelcycle down`, or use --port {running.port}.",
        )
    if running and read_root_key(home):
        return running
    _stop_unusable(home)
    _check_port(home, port)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    _check_free_space(home)
    ensure_root_key(home)
    return _launch(home, port, code)


def stop(home: Path, *, force: bool = False) -> StopResult:
    """Save the state and stop the process.

    Parameters
    ----------
    force : stop it even if the state cannot be saved

    Raises
    ------
    DiskFull : the state cannot be saved; the process is still running
    """
    record = read_record(home)
    if record is None or not _is_launcher(record.pid):
        remove_record(home)
        return StopResult(was_up=False)
    running = try_save(record.port)
    if running and running.save_fault and not force:
        raise DiskFull(
            f"The local cloud was not stopped, because {running.unsaved_changes} cannot be saved: "
            f"{running.save_fault}.",
            where=str(home),
            remedy="Free disk space there, then run `modelcycle down` again. "
            "`modelcycle down --force` stops it and loses these changes.",
        )
    end_process(record.pid, STOP_TIMEOUT)
    remove_record(home)
    lost = None
    if unsaved_marker(home).exists():
        unsaved_marker(home).unlink()
        lost = running.unsaved_changes if running else "the changes of its last seconds"
    return StopResult(True, running.running if running else (), lost)


def has_other_code(home: Path, code: str) -> bool:
    """Return whether the process was started by a release whose emulator had another hash."""
    record = read_record(home)
    return record is not None and record.code != code


def has_crashed(home: Path) -> bool:
    """Return whether a process was started for this folder and ended without being stopped."""
    record = read_record(home)
    return record is not None and not _is_launcher(record.pid)


def _launch(home: Path, port: int, code: str) -> RunningEmulator:
    with contextlib.suppress(FileNotFoundError):
        log_file(home).replace(home / "cloud.before.log")
    with log_file(home).open("ab") as log:  # in append mode the process itself can truncate it
        process = subprocess.Popen(
            [sys.executable, "-m", LAUNCHER, "--home", str(home), "--port", str(port)],
            cwd=ROOT,
            env=environment(home, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    write_record(home, ProcessRecord(process.pid, port, code))
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        running = running_emulator(home)
        if running:
            return running
        time.sleep(POLL_INTERVAL)
    status = process.poll()
    if status is None:
        process.kill()
        process.wait()
    remove_record(home)
    reason = f"it did not answer within {START_TIMEOUT:.0f} s" if status is None else f"it ended with status {status}"
    raise CloudCrashed(
        f"The local cloud did not start: {reason}. The last line of its log: {_last_line(log_file(home))}",
        where=str(log_file(home)),
        remedy="Read that file, then run `modelcycle up` again; saved data is kept.",
    )


def _check_port(home: Path, port: int) -> None:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return
    other = ask_emulator(port, timeout=1.0)
    user = f"the local cloud of the folder {other.get('home')}" if other else "another program"
    raise PortTaken(
        f"Port {port} is used by {user}.",
        where=f"127.0.0.1:{port}",
        remedy="Stop it, or choose another port: `modelcycle up --port 4567`.",
    )


def _check_free_space(home: Path) -> None:
    free = shutil.disk_usage(home).free
    if free < MIN_FREE_BYTES:
        raise DiskFull(
            f"The local cloud needs {MIN_FREE_BYTES // 2**20} MiB of disk space, and {free // 2**20} MiB are free.",
            where=str(home),
            remedy="Free disk space, or name a folder on another disk with the variable MODELCYCLE_HOME.",
        )


def _stop_unusable(home: Path) -> None:
    """Stop a process that does not answer and would occupy the port, or that has no root key."""
    record = read_record(home)
    if record and _is_launcher(record.pid):
        stop(home, force=True)


def _is_launcher(pid: int) -> bool:
    """Return whether the process is an emulator; the system may have given the pid to another program."""
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
    return LAUNCHER_COMMAND.search(listed.stdout) is not None


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "(empty)"
