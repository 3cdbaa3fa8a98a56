"""The audit trail: each decision about a run or a version, written once and never changed.

A decision that changes the registry is written in the transaction of that change, see `UnitOfWork`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.faults import Raced
from modelcycle.registry import keys
from modelcycle.registry.table import Table, Write

DECISIONS_OF_PEOPLE = frozenset({"approve", "approval", "reject", "rollback", "promote"})


class Entry(BaseModel):
    """A decision: `subject` is a run or a version, `by` the person, run or policy that decided."""

    model_config = ConfigDict(defer_build=True)

    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    subject: str
    decision: str
    by: str
    why: str = ""
    evidence: dict[str, Any] = {}


class Audit:
    """The audit trails of all models. Entries have a name (see `keys`), which identifies the decision."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def add(self, model: str, name: str, entry: Entry) -> None:
        """Write a decision that changes no other record. Idempotent: the first entry of a name is kept."""
        try:
            self.table.write(entry_write(model, name, entry))
        except Raced:
            return

    def has(self, model: str, name: str) -> bool:
        """Return whether the decision of that name was taken."""
        return self.table.get(*keys.audit_entry(model, name)) is not None

    def all(self, model: str) -> list[Entry]:
        """Return all entries, newest first."""
        entries = [Entry.model_validate(record.body) for record in self.table.query(*keys.audit_entries(model))]
        return sorted(entries, key=lambda entry: entry.at, reverse=True)

    def decisions(self, model: str) -> list[Entry]:
        """Return what people decided, newest first."""
        return [entry for entry in self.all(model) if entry.decision in DECISIONS_OF_PEOPLE]


def entry_write(model: str, name: str, entry: Entry) -> Write:
    """Return the write of an entry, for a transaction."""
    return Write(*keys.audit_entry(model, name), entry.model_dump(mode="json"))
