"""One change of the registry: its records, its events and its audit entry, written together or not at all."""

from __future__ import annotations

from typing import Any

from modelcycle.registry import keys
from modelcycle.registry.audit import Entry, write_decisions
from modelcycle.registry.events import EventKind, event_write
from modelcycle.registry.keys import Key
from modelcycle.registry.table import Table, Write


class UnitOfWork:
    """Collects the writes of one change of a model, then makes them in one transaction.

    A unit that writes a governed record (see `keys.is_governed`) must hold the audit entry of that decision. Without
    it, `commit` refuses to write, so an entry can be neither forgotten nor lost by a kill. The entry holds the hashes
    of these records.
    """

    def __init__(self, table: Table, model: str) -> None:
        self.table = table
        self.model = model
        self.writes: list[Write] = []
        self.undecided: list[Write] = []
        self.decisions: list[tuple[str, Entry]] = []

    def put(self, *writes: Write) -> None:
        """Add records to create or replace."""
        self.writes += writes

    def put_undecided(self, *writes: Write) -> None:
        """Add records of a governed kind that are not decided yet: they change without an entry until they are."""
        self.undecided += writes

    def announce(self, kind: EventKind, **detail: Any) -> None:
        """Add an event for the bus."""
        self.writes.append(event_write(kind, self.model, **detail))

    def audit(self, name: str, entry: Entry) -> None:
        """Add the decision behind the change. A second entry of the same name makes `commit` raise Raced."""
        self.decisions.append((name, entry))

    def commit(self) -> None:
        """Write everything.

        Raises
        ------
        Raced : another writer was faster; nothing is written
        Throttled : other decisions about the model were faster at each attempt; nothing is written
        ValueError : a decision without its audit entry, or more writes than a transaction holds
        """
        governed = sorted({write.sk for write in self.writes if keys.is_governed(Key(write.pk, write.sk))})
        if governed and not self.decisions:
            raise ValueError(f"{', '.join(governed)}: a decision is written with its audit entry")
        if self.decisions:
            write_decisions(self.table, self.model, self.decisions, self.writes, self.undecided)
        elif self.writes or self.undecided:
            self.table.write(*self.writes, *self.undecided)
