"""The file that records the process id and the port of the emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple


class ProcessRecord(NamedTuple):
    """The process that was started last; it may have ended since. `code` is the hash of the emulator's own code."""

    pid: int
    port: int
    code: str = ""


def write_record(home: Path, record: ProcessRecord) -> None:
    """Record a started process."""
    _file(home).write_text(json.dumps(record._asdict()))


def read_record(home: Path) -> ProcessRecord | None:
    """Return the recorded process, or None if there is none or the file is unreadable."""
    try:
        content = json.loads(_file(home).read_text())
        return ProcessRecord(int(content["pid"]), int(content["port"]), str(content.get("code", "")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove_record(home: Path) -> None:
    """Forget the recorded process."""
    _file(home).unlink(missing_ok=True)


def _file(home: Path) -> Path:
    return home / "cloud.pid"
