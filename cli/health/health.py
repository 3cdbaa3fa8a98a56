"""What `status` says of a place: its problems, each with a remedy, and facts about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Health:
    """The health of a place.

    Parameters
    ----------
    place : its name
    up : whether it answers
    problems : what is wrong, and the remedy or an empty string; the worst first
    facts : name and value
    """

    place: str
    up: bool
    problems: list[tuple[str, str]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)

    def wire(self) -> dict[str, Any]:
        """Return the object that `status --json` prints."""
        return {
            "place": self.place, "up": self.up, "facts": dict(self.facts),
            "faults": [{"detail": problem, "remedy": remedy} for problem, remedy in self.problems],
        }  # fmt: skip
