"""One change of the registry: its records, its events and its audit entry, written together or not at all."""

from __future__ import annotations

from typing import Any

from modelcycle.registry.audit import Entry, entered
from modelcycle.registry.events import Kind, event
from modelcycle.registry.table import Table, Write

DECIDED = ("ROUTE", "STATE#")  # what only a decision changes: who answers requests, and where a version stands


class Unit:
    """Collects what belongs to one change of a model, then writes it as one transaction.

    A unit that moves traffic or changes the state of a version holds the audit entry of that decision. Without one
    `commit` refuses to write, so the entry can be neither forgotten nor lost by a kill.
    """

    def __init__(self, table: Table, model: str) -> None:
        self.table = table
        self.model = model
        self.writes: list[Write] = []
        self.audited = False

    def put(self, *writes: Write) -> None:
        """Create or replace records."""
        self.writes += writes

    def tell(self, kind: Kind, **detail: Any) -> None:
        """Tell on the bus what the change means."""
        self.writes.append(event(kind, self.model, **detail))

    def audit(self, key: str, entry: Entry) -> None:
        """Enter the decision behind the change. `key` identifies it: a second entry of that key is refused."""
        self.writes.append(entered(self.model, key, entry))
        self.audited = True

    def commit(self) -> None:
        """Write everything.

        Raises
        ------
        Raced : another writer was first; nothing is written
        ValueError : a decision without its audit entry, or more writes than a transaction holds
        """
        decided = sorted({write.sk for write in self.writes if write.sk.startswith(DECIDED)})
        if decided and not self.audited:
            raise ValueError(f"{', '.join(decided)}: a decision is written with its audit entry")
        if self.writes:
            self.table.write(*self.writes)
