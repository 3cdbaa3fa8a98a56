"""The processes of functions: how many are warm, and an end to those that idle."""

from __future__ import annotations

import sys
import time

IDLE_AFTER = 60.0  # seconds until a function's process is stopped; the next call starts one


def stop_idle_processes() -> None:
    """MiniStack never stops the first process of a function: some 40 MB each, 200 MB with pandas."""
    runtime = sys.modules.get("ministack.core.lambda_runtime")
    if runtime is None:
        return
    now = time.time()
    idle = []
    with runtime._lock:
        for key, workers in list(runtime._workers.items()):
            gone = [w for w in workers if not w.in_use and now - getattr(w, "last_used", now) > IDLE_AFTER]
            idle.extend(gone)
            kept = [w for w in workers if w not in gone]
            if kept:
                runtime._workers[key] = kept
            else:
                runtime._workers.pop(key, None)
    runtime.kill_workers(idle)


def stop_all_processes() -> None:
    """At the end of the cloud; what a function still does is done for nobody."""
    runtime = sys.modules.get("ministack.core.lambda_runtime")
    if runtime is not None:
        runtime.kill_workers([worker for workers in list(runtime._workers.values()) for worker in workers])


def count_processes() -> int:
    """How many processes of functions are warm."""
    runtime = sys.modules.get("ministack.core.lambda_runtime")
    return sum(len(workers) for workers in list(runtime._workers.values())) if runtime else 0


def is_any_busy() -> bool:
    """Whether a function runs right now."""
    runtime = sys.modules.get("ministack.core.lambda_runtime")
    return bool(runtime and runtime.workers_in_use())
