"""The audit trail: each decision about a version, written once and never changed."""

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

    def add(self, model: str, name: str, entry: Entry) -> None:
        """`name` makes the entry what it is: the same decision told twice is one entry."""
        try:
            self.table.write(Write(f"MODEL#{model}", f"AUDIT#{name}", entry.model_dump(mode="json")))
        except Raced:
            return

    def decisions(self, model: str) -> list[Entry]:
        """What people decided, newest first."""
        return [entry for entry in self.all(model) if entry.decision in PEOPLE_DECIDE]

    def all(self, model: str) -> list[Entry]:
        entries = [Entry.model_validate(record.body) for record in self.table.query(f"MODEL#{model}", "AUDIT#")]
        return sorted(entries, key=lambda entry: entry.at, reverse=True)
