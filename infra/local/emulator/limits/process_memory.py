"""How much memory a function's process holds by itself, on Linux.

A process that is a fork shares with its server what the server has imported, 40 to 210 MB, whether the function uses it
or not. Only pages that the process alone has written count: its own data and what it imported itself. Pages of files,
such as shared libraries and mapped data, can be given back and do not count. The measure is therefore smaller than what
Lambda would count, by what the function's imports take.
"""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")
KIB = 1024
COUNTED = ("Private_Dirty:", "SwapPss:")
FORK_NAME = "fork:"  # of what stands for a fork: `start_function.py` gives it this name, followed by the fork's id


def is_measurable() -> bool:
    """Return whether this system tells what a process holds."""
    return (PROC / "self" / "smaps_rollup").exists()


def runtime_process(pid: int) -> int:
    """Return the process in which a function runs: the fork that a process stands for, or the process itself."""
    try:
        name = (PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return pid
    fork = name.removeprefix(FORK_NAME)
    return int(fork) if name.startswith(FORK_NAME) and fork.isdigit() else pid


def exceeds(pid: int, limit: int) -> bool:
    """Return whether a process holds more than a limit, in bytes; False for one that has ended.

    The resident size is cheap to read and an upper bound; the exact figure, which walks the process's pages, is read
    only beyond it.
    """
    return resident_bytes(pid) > limit and own_bytes(pid) > limit


def resident_bytes(pid: int) -> int:
    """Return all memory of a process and what is swapped out, shared pages included; 0 if it has ended."""
    try:
        status = (PROC / str(pid) / "status").read_bytes()
    except OSError:
        return 0
    lines = dict(line.split(b":", 1) for line in status.splitlines() if line.startswith((b"VmRSS:", b"VmSwap:")))
    return sum(int(value.split()[0]) for value in lines.values()) * KIB


def own_bytes(pid: int) -> int:
    """Return what a process alone has written and holds; 0 if it has ended."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(COUNTED)) * KIB
