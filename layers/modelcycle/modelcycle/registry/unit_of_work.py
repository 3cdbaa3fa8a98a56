"""One change of the registry: its records, its events and its audit entry, written together or not at all."""

from __future__ import annotations

from typing import Any

from modelcycle.registry import keys
from modelcycle.registry.audit import Entry, entry_write
from modelcycle.registry.events import EventKind, event_write
from modelcycle.registry.table import Table, Write


class UnitOfWork:
    """Collects the writes of one change of a model, then makes them in one transaction.

    A unit that moves traffic or changes the state of a version must hold the audit entry of that decision. Without it,
    `commit` refuses to write, so an entry can be neither forgotten nor lost by a kill.
    """

    def __init__(self, table: Table, model: str) -> None:
        self.table = table
        self.model = model
        self.writes: list[Write] = []
        self.audited = False

    def put(self, *writes: Write) -> None:
        """Add records to create or replace."""
        self.writes += writes

    def announce(self, kind: EventKind, **detail: Any) -> None:
        """Add an event for the bus."""
        self.writes.append(event_write(kind, self.model, **detail))

    def audit(self, name: str, entry: Entry) -> None:
        """Add the decision behind the change. A second entry of the same name makes `commit` raise Raced."""
        self.writes.append(entry_write(self.model, name, entry))
        self.audited = True

    def commit(self) -> None:
        """Write everything.

        Raises
        ------
        Raced : another writer was faster; nothing is written
        ValueError : a decision without its audit entry, or more writes than a transaction holds
        """
        decisions = sorted({write.sk for write in self.writes if self._is_decision(write)})
        if decisions and not self.audited:
            raise ValueError(f"{', '.join(decisions)}: a decision is written with its audit entry")
        if self.writes:
            self.table.write(*self.writes)

    def _is_decision(self, write: Write) -> bool:
        return (write.pk, write.sk) == keys.route(self.model) or write.pk == keys.states(self.model).pk
