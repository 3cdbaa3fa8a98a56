"""Work in a process of its own, and the memory that it took."""

from __future__ import annotations

from multiprocessing import get_context
from pathlib import Path
from typing import Any


def apart(work: Any, *arguments: Any) -> Any:
    """Return the result of a call in a new process, which has nothing of this one in its memory."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def peak_megabytes() -> float:
    """Return the largest resident set of this process; `getrusage` would include that of its parent before the fork."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return float(line.split()[1]) / 1024
    raise RuntimeError("the peak of the memory is only known on Linux")
