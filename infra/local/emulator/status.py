"""Asks the running emulator for its status, and to save its state."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.emulator.pid_file import read_record
from infra.local.emulator.request_guard import SAVE_PATH, STATUS_PATH
from infra.local.faults import CloudCrashed, DiskFull

ANSWER_TIMEOUT = 10.0  # seconds; a large upload stalls the emulator for some
SERVICE_CONTENTS = {
    "dynamodb": "the registry of models, versions, routes and runs",
    "stepfunctions": "the steps of runs",
    "firehose": "captured predictions",
    "cloudwatch": "metrics",
    "cloudwatch_logs": "logs",
    "sqs": "messages in queues",
    "eventbridge": "undelivered events",
    "objects": "files in buckets",
}


@dataclass(frozen=True)
class RunningEmulator:
    """The status of a running emulator.

    Parameters
    ----------
    workers : number of warm processes of functions
    save_fault : why the last save failed, or None
    running : the executions in progress, each as `state machine:name`
    recovering : whether it is still ending what an earlier stop interrupted
    saved_at : POSIX time; everything up to it is on disk
    unsaved : the services with changes since `saved_at` that could not be saved
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
        """The address of all its services."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def unsaved_changes(self) -> str:
        """What a stop would lose, for people."""
        contents = [text for service, text in SERVICE_CONTENTS.items() if service in self.unsaved] or ["everything"]
        since = time.strftime("%H:%M:%S", time.localtime(self.saved_at))
        return f"the changes since {since} ({', '.join(contents)})"


def running_emulator(home: Path) -> RunningEmulator | None:
    """Return the emulator that serves this folder, or None if none answers."""
    record = read_record(home)
    if record is None:
        return None
    answer = ask_emulator(record.port, ANSWER_TIMEOUT)
    return _running(answer, record.port) if answer and answer.get("home") == str(home) else None


def try_save(port: int) -> RunningEmulator | None:
    """Have the state saved; return the status after that, or None if the emulator does not answer."""
    answer = ask_emulator(port, ANSWER_TIMEOUT, SAVE_PATH)
    return _running(answer, port) if answer else None


def save(emulator: RunningEmulator) -> None:
    """Have the state saved.

    Raises
    ------
    CloudCrashed : the emulator does not answer
    DiskFull : the state cannot be saved
    """
    saved = try_save(emulator.port)
    if saved is None:
        raise CloudCrashed(
            "The local cloud does not answer, so its state could not be saved.",
            where=emulator.endpoint,
            remedy="Run `modelcycle up` again: it continues with the last complete state.",
        )
    if saved.save_fault:
        raise DiskFull(
            f"The state of the local cloud could not be saved: {saved.save_fault}.",
            where=emulator.endpoint,
            remedy="Free disk space, then run `modelcycle up` again.",
        )


def ask_emulator(port: int, timeout: float, path: str = STATUS_PATH) -> dict[str, Any] | None:
    """Return what the local cloud on a port answers, or None if no local cloud answers there in `timeout` seconds."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout) as response:
            answer = json.load(response)
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) and "workers" in answer else None


def _running(answer: dict[str, Any], port: int) -> RunningEmulator:
    return RunningEmulator(
        answer["pid"], port, answer["workers"], answer["save_fault"], tuple(answer.get("running", ())),
        bool(answer.get("recovering")), float(answer.get("saved_at", 0.0)), tuple(answer.get("unsaved", ())),
    )  # fmt: skip
