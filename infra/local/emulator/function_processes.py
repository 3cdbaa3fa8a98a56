"""The processes of functions: how many are warm, whether one is busy, and an end for those that are idle."""

from __future__ import annotations

import sys
import time
from typing import Any

MAX_IDLE_SECONDS = 60.0  # then a function's process is stopped; the next call starts one
MAX_FINISH_SECONDS = 1.0  # of the functions that hold captures, at the end of the cloud
POLL_SECONDS = 0.01
CAPTURES = "CAPTURE_STREAM"  # a variable of the functions whose processes hold captures for some time


def stop_idle_processes(seconds: float = MAX_IDLE_SECONDS, variable: str = "") -> None:
    """Stop processes that have been idle for longer.

    MiniStack never stops a function's first one, which has some 40 MB, 200 MB with pandas.

    Parameters
    ----------
    variable : stop only those of functions that have this variable
    """
    runtime = _runtime()
    if runtime is None:
        return
    now = time.time()
    stopped = []
    with runtime._lock:
        for key, workers in list(runtime._workers.items()):
            idle = [worker for worker in workers if _is_idle(worker, now, seconds) and _has(worker, variable)]
            stopped.extend(idle)
            remaining = [worker for worker in workers if worker not in idle]
            if remaining:
                runtime._workers[key] = remaining
            else:
                runtime._workers.pop(key, None)
    runtime.kill_workers(stopped)


def finish_captures() -> None:
    """Stop the processes that hold captures, which they then send; the emulator has to answer meanwhile.

    One that has just answered counts as busy for a moment. Executions go on meanwhile and may begin what cannot end, so
    no other process is waited for.
    """
    runtime, deadline = _runtime(), time.monotonic() + MAX_FINISH_SECONDS
    while runtime is not None and time.monotonic() < deadline:
        workers = [worker for workers in list(runtime._workers.values()) for worker in workers]
        if not any(worker.in_use and _has(worker, CAPTURES) for worker in workers):
            break
        time.sleep(POLL_SECONDS)
    stop_idle_processes(seconds=0, variable=CAPTURES)


def stop_all_processes() -> None:
    """Stop every process, busy or not, at the end of the cloud."""
    runtime = _runtime()
    if runtime is not None:
        runtime.kill_workers([worker for workers in list(runtime._workers.values()) for worker in workers])


def count_processes() -> int:
    """Return the number of warm processes of functions."""
    runtime = _runtime()
    return sum(map(len, list(runtime._workers.values()))) if runtime else 0


def is_any_busy() -> bool:
    """Return whether a function is running."""
    runtime = _runtime()
    return bool(runtime and runtime.workers_in_use())


def _runtime() -> Any:
    """MiniStack's module of processes, or None if no function has been called yet."""
    return sys.modules.get("ministack.core.lambda_runtime")


def _has(worker: Any, variable: str) -> bool:
    return not variable or variable in (worker.config.get("Environment") or {}).get("Variables", {})


def _is_idle(worker: Any, now: float, seconds: float) -> bool:
    return not worker.in_use and now - getattr(worker, "last_used", now) >= seconds
