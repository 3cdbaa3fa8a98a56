"""Ends a process that another command may have started."""

from __future__ import annotations

import contextlib
import os
import signal
import time

KILL_TIMEOUT = 5.0  # seconds until a killed process has ended
POLL_INTERVAL = 0.05  # seconds


def end_process(pid: int, timeout: float) -> None:
    """Ask a process to end, and kill it if it has not ended within `timeout` seconds; return when it has ended."""
    _signal(pid, signal.SIGTERM)
    if not _has_ended(pid, timeout):
        _signal(pid, signal.SIGKILL)
        _has_ended(pid, KILL_TIMEOUT)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _has_ended(pid: int, timeout: float) -> bool:
    """Wait until a process has ended; return whether it has within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)  # it is a child if this very process started it
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(POLL_INTERVAL)
    return False
