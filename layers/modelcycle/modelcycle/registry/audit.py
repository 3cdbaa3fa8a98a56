"""The audit trail: each decision about a run or a version, written once, never changed, and chained by hashes.

A decision that changes the registry is written in the transaction of that change, see `UnitOfWork`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.faults import Raced, Throttled
from modelcycle.registry import keys
from modelcycle.registry.chain import ADOPTED, Head, append, digest, digest_of_older, written_since
from modelcycle.registry.table import Table, Write, revision_of

DECISIONS_OF_PEOPLE = frozenset({"approve", "approval", "reject", "rollback", "promote", "reveal"})
MAX_HEAD_RACES = 60  # attempts at the end of one chain, each after a new read
FIRST_PAUSE = 0.02  # seconds, at most, before the second attempt; doubled at each further one
MAX_PAUSE = 0.5  # seconds


class Entry(BaseModel):
    """A decision: `subject` is a run or a version, `by` the person, run or policy that decided.

    Parameters
    ----------
    number : place in the model's chain, from 1; None before the entry is written, and for entries from before the chain
    previous : hash of the entry before
    hash : of everything else that the entry holds
    evidence_hash : of `evidence`
    records : hashes of the governed records that were written with the entry, by `pk|sk`
    until : when DynamoDB deletes those that expire, in seconds since 1970
    older : hash of all entries from before the chain, in its first entry
    """

    model_config = ConfigDict(defer_build=True)

    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    subject: str
    decision: str
    by: str
    why: str = ""
    evidence: dict[str, Any] = {}
    number: int | None = None
    previous: str = ""
    hash: str = ""
    evidence_hash: str = ""
    records: dict[str, str] = {}
    until: dict[str, int] = {}
    older: str = ""


CHAINED = {"number", "previous", "hash", "evidence_hash", "records", "until", "older"}  # what the chain adds


class Audit:
    """The audit trails of all models. Entries have a name (see `keys`), which identifies the decision."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def add(self, model: str, name: str, entry: Entry) -> None:
        """Write a decision that changes no other record. Idempotent: the first entry of a name is kept.

        Raises
        ------
        Throttled : other decisions about the model were faster at each attempt
        """
        if self.has(model, name):
            return
        try:
            write_decisions(self.table, model, [(name, entry)], [])
        except Raced:
            return

    def has(self, model: str, name: str) -> bool:
        """Return whether the decision of that name was taken."""
        return self.table.get(*keys.audit_entry(model, name)) is not None

    def adopt(self, model: str, now: datetime | None = None) -> int:
        """Take entries into the chain that code of an earlier release has written since it began; return how many.

        Idempotent. See `written_since` for what is not taken in, and until when anything is.

        Parameters
        ----------
        now : by default the present

        Raises
        ------
        Throttled : other decisions about the model were faster at each attempt
        """
        entries = {one.sk: one.body for one in self.table.query(*keys.audit_entries(model))}
        found = written_since(entries, now or datetime.now(UTC))
        if found:
            entry = Entry(
                subject="the audit trail", decision=ADOPTED, by="modelcycle", evidence={ADOPTED: found},
                why=f"an earlier release has written entries without a number since the chain began: {len(found)}",
            )  # fmt: skip
            self.add(model, keys.decision_to_adopt(digest(found)), entry)
        return len(found)

    def head(self, model: str) -> Head:
        """Return the end of a model's chain; number 0 if it has none yet."""
        record = self.table.get(*keys.audit_head(model))
        return Head.model_validate(record.body) if record else Head()

    def all(self, model: str) -> list[Entry]:
        """Return all entries, newest first."""
        entries = [Entry.model_validate(record.body) for record in self.table.query(*keys.audit_entries(model))]
        return sorted(entries, key=lambda entry: entry.at, reverse=True)

    def decisions(self, model: str) -> list[Entry]:
        """Return what people decided, newest first."""
        return [entry for entry in self.all(model) if entry.decision in DECISIONS_OF_PEOPLE]


def write_decisions(
    table: Table, model: str, decisions: Sequence[tuple[str, Entry]], writes: Sequence[Write],
    undecided: Sequence[Write] = (),
) -> None:  # fmt: skip
    """Write decisions and what they change, at the end of the model's chain, in one transaction.

    If only the end of the chain has moved, another decision about the model was faster: the transaction is tried again
    behind it. Any other record that has changed makes the caller's decision outdated.

    Parameters
    ----------
    decisions : entries with their names
    writes : the last entry holds the hashes of those that are governed
    undecided : written beside them; no entry holds their hashes

    Raises
    ------
    Raced : a record of `writes` has another revision than its writer has read, or one of the decisions was taken before
    Throttled : other decisions about the model were faster at each attempt
    """
    bodies = [(name, entry.model_dump(mode="json", exclude=CHAINED)) for name, entry in decisions]
    key = keys.audit_head(model)
    for attempt in range(MAX_HEAD_RACES):
        record = table.get(*key)
        head = Head.model_validate(record.body) if record else Head()
        older = "" if record else digest_of_older(table.query(*keys.audit_entries(model)))
        try:
            table.write(*writes, *undecided, *append(model, head, revision_of(record), bodies, writes, older))
            return
        except Raced as raced:
            if raced.records != {key}:
                raise
        time.sleep(random.uniform(0, min(MAX_PAUSE, FIRST_PAUSE * 2**attempt)))  # noqa: S311 (jitter, not a secret)
    raise Throttled("many decisions about the model are being written", key.pk, "try again")
