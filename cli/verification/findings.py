"""What was verified, and what was found wrong."""

from __future__ import annotations

import threading
from typing import Any, NamedTuple


class Wrong(NamedTuple):
    """One fault: where it is, and what is wrong there, as a clause."""

    where: str
    what: str


class Findings:
    """Counts of what was verified, and the faults; several threads may add to it."""

    def __init__(self) -> None:
        self.wrong: dict[Wrong, None] = {}  # in the order in which they were found, each once
        self.counts = dict.fromkeys(
            (
                "entries",
                "records",
                "objects",
                "bytes",
                "seals",
                "older",
                "expired",
                "erased",
                "unread",
                "unnamed",
                "unsigned",
                "signed",
            ),
            0,
        )
        self.notes: list[str] = []
        self._lock = threading.Lock()

    def count(self, name: str, number: int = 1) -> None:
        with self._lock:
            self.counts[name] += number

    def add(self, where: str, what: str) -> None:
        with self._lock:
            self.wrong[Wrong(where, what)] = None

    def note(self, sentence: str) -> None:
        with self._lock:
            if sentence not in self.notes:
                self.notes.append(sentence)

    @property
    def faults(self) -> list[Wrong]:
        return sorted(self.wrong)

    def wire(self, model: str, version: int | None) -> dict[str, Any]:
        """Return the object that --json prints."""
        return {
            "ok": not self.wrong, "model": model, "version": version, "verified": self.counts, "notes": self.notes,
            "faults": [fault._asdict() for fault in self.faults],
        }  # fmt: skip
