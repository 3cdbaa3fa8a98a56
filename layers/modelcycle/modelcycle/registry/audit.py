"""The audit trail: each decision about a run or a version, written once and never changed.

Decisions that change the registry are entered in the transaction of that change, see `Unit`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from modelcycle.faults import Raced
from modelcycle.registry.table import Table, Write

PEOPLE_DECIDE = frozenset({"approve", "reject", "rollback", "promote"})


class Entry(BaseModel):
    """`subject` is a run or a version; `by` the role or person that decided."""

    at: datetime
    subject: str
    decision: str
    by: str
    why: str = ""
    evidence: dict[str, Any] = {}


class Audit:
    def __init__(self, table: Table) -> None:
        self.table = table

    def add(self, model: str, key: str, entry: Entry) -> None:
        """Enter a decision that changes no other record. Entries are keyed; adding one twice has no effect."""
        try:
            self.table.write(entered(model, key, entry))
        except Raced:
            return

    def has(self, model: str, key: str) -> bool:
        """Whether the decision of this key was taken."""
        return self.table.read(f"MODEL#{model}", f"AUDIT#{key}") is not None

    def decisions(self, model: str) -> list[Entry]:
        """What people decided, newest first."""
        return [entry for entry in self.all(model) if entry.decision in PEOPLE_DECIDE]

    def all(self, model: str) -> list[Entry]:
        """Newest first."""
        entries = [Entry.model_validate(record.body) for record in self.table.query(f"MODEL#{model}", "AUDIT#")]
        return sorted(entries, key=lambda entry: entry.at, reverse=True)


def entered(model: str, key: str, entry: Entry) -> Write:
    """The write of an entry, for a transaction."""
    return Write(f"MODEL#{model}", f"AUDIT#{key}", entry.model_dump(mode="json"))
