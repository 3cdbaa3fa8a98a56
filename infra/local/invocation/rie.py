"""A function under AWS's runtime interface emulator (RIE), without Docker.

It is the program that is inside AWS's images of Lambda; the AWS SAM CLI brings it. It runs one environment of Lambda:
one request at a time. It gives an answer only after an extension of the function has asked for the next event.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from infra.local.faults import EmulatorMissing, FunctionNotStarted
from infra.local.ports import free_port

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}
PATTERN = "lib/python*/site-packages/samcli/local/rapid/{}"
INVOKE_PATH = "/2015-03-31/functions/function/invocations"
START_SECONDS = 30.0
END_SECONDS = 10.0
POLL_SECONDS = 0.02
GRACE_SECONDS = 10.0  # beyond the function's own time-out, which the emulator enforces


def emulator_program() -> Path:
    """Return the emulator's program.

    Raises
    ------
    EmulatorMissing
    """
    if sys.platform != "linux" or platform.machine() not in PROGRAMS:
        raise EmulatorMissing(
            f"AWS's runtime interface emulator runs on Linux, and this is {sys.platform} on {platform.machine()}.",
            where="make invoke", remedy="Use `sam local invoke`, which runs it in Docker: docs/sam-local.md",
        )  # fmt: skip
    found = sorted((ROOT / "build" / "sam").glob(PATTERN.format(PROGRAMS[platform.machine()])))
    if not found:
        raise EmulatorMissing(
            "AWS's runtime interface emulator is not installed.",
            where=str(ROOT / "build" / "sam"), remedy="Run `make build/sam/stamp`, which installs the AWS SAM CLI.",
        )  # fmt: skip
    found[-1].chmod(0o755)
    return found[-1]


@contextmanager
def under_rie(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], log: IO[Any] | int = subprocess.DEVNULL
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a function under the emulator; yield the port that takes events, and the process.

    Parameters
    ----------
    command : starts the function's runtime
    folder : of its code
    environment : of its process, all of it
    log : what it prints goes there

    Raises
    ------
    EmulatorMissing, FunctionNotStarted
    """
    port, api_port = free_port(), free_port()
    process = subprocess.Popen(
        [
            str(emulator_program()), "--runtime-interface-emulator-address", f"127.0.0.1:{port}",
            "--runtime-api-address", f"127.0.0.1:{api_port}", "--log-level", "error", *command,
        ],
        env=dict(environment), cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip
    try:
        _wait_for(port, process)
        yield port, process
    finally:
        _end(process)


def invoke(port: int, event: str, seconds: float = START_SECONDS) -> Any:
    """Return the answer of a function under the emulator; that of a failed call has `errorType` and `errorMessage`.

    Parameters
    ----------
    seconds : the function's time-out
    """
    limit = seconds + GRACE_SECONDS
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{INVOKE_PATH}", event.encode(), timeout=limit) as response:
            body = response.read()
    except urllib.error.HTTPError as error:
        body = error.read()
    except OSError as error:
        return {"errorType": "Runtime.ExitError", "errorMessage": f"the function gave no answer: {error}"}
    try:
        return json.loads(body)
    except ValueError:  # a time-out is told in plain text
        return {"errorType": "Sandbox.Timedout", "errorMessage": body.decode(errors="replace").strip()}


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(POLL_SECONDS)
    raise FunctionNotStarted(
        "The runtime interface emulator did not start.", where=f"127.0.0.1:{port}", remedy="Run the command again."
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the emulator and the function: first so that captures are sent, then in any case."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=END_SECONDS)
            return
