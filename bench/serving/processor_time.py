"""Processor time of processes and of all that they have started, from Linux's /proc."""

from __future__ import annotations

import os
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pids: list[int]) -> float:
    """Return the time that the processes and their descendants have used so far, ended children included."""
    parents, ticks = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # the name, in parentheses, may hold blanks; man page proc(5), /proc/pid/stat
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        ticks[pid] = sum(map(int, fields[11:15]))
    counted = {pid for pid in parents if _is_below(pid, set(pids), parents)}
    return sum(ticks[pid] for pid in counted) / TICKS


def _is_below(pid: int, roots: set[int], parents: dict[int, int]) -> bool:
    while pid and pid not in roots:
        pid = parents.get(pid, 0)
    return pid in roots
