"""What an environment of a function tells about itself: its age, its calls, its memory.

On AWS, Lambda reports the memory and the start of an environment in the log; the local cloud does not.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")


class EnvironmentFigures:
    """The figures of this process. Made when the function's code has been imported.

    Examples
    --------
    >>> figures = EnvironmentFigures()
    >>> with figures.call():
    ...     answer = "here"
    >>> sorted(figures.told())
    ['calls', 'id', 'init_ms', 'memory_mb', 'ms', 'peak_mb']
    >>> figures.told()["calls"]
    1
    """

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex[:12]
        self.init_ms = process_age_ms()
        self.calls = 0
        self.ms = 0.0  # of the last call

    @contextmanager
    def call(self) -> Iterator[None]:
        """Measure a call."""
        self.calls += 1
        started = time.perf_counter()
        try:
            yield
        finally:
            self.ms = (time.perf_counter() - started) * 1000

    def told(self) -> dict[str, Any]:
        """Return the figures as JSON values: times in milliseconds, memory in MiB."""
        memory, peak = memory_mb()
        return {
            "id": self.id, "calls": self.calls, "init_ms": round(self.init_ms, 1), "ms": round(self.ms, 3),
            "memory_mb": round(memory, 2), "peak_mb": round(peak, 2),
        }  # fmt: skip


def process_age_ms() -> float:
    """Return for how long this process has run; on systems without /proc, since it first used its processor."""
    try:
        # the command's name, in brackets, may hold spaces; the start is field 22, in clock ticks since the boot
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return time.process_time() * 1000
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")) * 1000


def memory_mb() -> tuple[float, float]:
    """Return the resident memory now and at its peak, in MiB.

    Not by `getrusage`: its peak includes that of the process that started this one.
    """
    try:
        lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines() if line.startswith("Vm"))
        memory, peak = (int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "VmHWM"))
        return memory, max(memory, peak)  # the kernel updates the peak now and then
    except (OSError, KeyError, ValueError):
        import resource
        import sys

        unit = 2**20 if sys.platform == "darwin" else 2**10
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
        return peak, peak
