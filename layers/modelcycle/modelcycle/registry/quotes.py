"""Records that quote a text: results of steps, reasons of runs, incidents. An erasure takes the text out of them.

Records about decisions and traffic are not changed: an audit entry never is, and what routes requests is not rewritten
for the sake of a reason. Whoever asks is told how many of them quote the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from modelcycle.bounded_groups import bounded_groups
from modelcycle.registry import keys
from modelcycle.registry.audit import Entry
from modelcycle.registry.chain import digest, name_of_record
from modelcycle.registry.table import Record, Table, Write, retry_when_raced
from modelcycle.registry.unit_of_work import UnitOfWork

MAX_AT_ONCE = 20  # records of one transaction
MAX_BYTES_AT_ONCE = 2 * 2**20  # of their bodies; a transaction has at most 4 MB (AWS page "TransactWriteItems")

Cleaned = Callable[[dict[str, Any]], tuple[dict[str, Any], bool]]
"""Returns the body of a record without the texts, and whether it had any."""


class Quoting(NamedTuple):
    """Records that quote a text.

    Parameters
    ----------
    changing : those that can be written anew, with their new bodies
    staying : how many stay as they are, by the kind of their key
    """

    changing: list[tuple[Record, dict[str, Any]]]
    staying: dict[str, int]


class Quotes:
    """The records of all models that may quote a cell."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def find(self, model: str, cleaned: Cleaned) -> Quoting:
        """Return the records of a model that quote a text."""
        changing, staying = [], dict[str, int]()
        for record in self._records(model):
            body, had_any = cleaned(record.body)
            if had_any and keys.may_quote(record.key):
                changing.append((record, body))
            elif had_any:
                kind = record.pk.partition("#")[0]
                staying[kind] = staying.get(kind, 0) + 1
        return Quoting(changing, staying)

    @retry_when_raced
    def take_out(self, model: str, erasure: str, by: str, why: str, cleaned: Cleaned) -> None:
        """Write all records that can be changed without the texts, with entries of the audit trail. Idempotent.

        An entry has the hashes of the governed records that it changes, so the trail vouches for their new text.

        Raises
        ------
        Raced : other writers changed the records at each attempt
        Throttled : other decisions about the model were faster at each attempt
        """
        changing = self.find(model, cleaned).changing
        for some in bounded_groups(changing, _size, MAX_BYTES_AT_ONCE, MAX_AT_ONCE):
            names = [name_of_record(record.key) for record, _ in some]
            unit = UnitOfWork(self.table, model)
            unit.put(
                *(Write(*one.key, body, one.revision, kind=one.kind, expires=one.expires) for one, body in some)
            )  # fmt: skip
            read = digest([[name, record.revision] for name, (record, _) in zip(names, some, strict=True)])
            unit.audit(
                keys.decision_to_reword(erasure, read[:16]),
                Entry(
                    subject=f"erasure {erasure}", decision="reworded", by=by or "unknown", why=why,
                    evidence={"records": names},
                ),
            )  # fmt: skip
            unit.commit()

    def taken_out(self, model: str, erasure: str) -> int:
        """Return how many records an erasure has written anew."""
        entries = self.table.query(*keys.rewordings(model, erasure))
        return len({name for entry in entries for name in entry.body["evidence"]["records"]})

    def _records(self, model: str) -> Iterator[Record]:
        """Yield all records of a model but those of erasures, which quote nothing."""
        erasures = keys.erasures(model).pk
        for pk in keys.partitions(model):
            if pk != erasures:
                yield from self.table.query(pk)


def _size(changed: tuple[Record, dict[str, Any]]) -> int:
    """Return the bytes of a record's new body."""
    return len(json.dumps(changed[1], ensure_ascii=False).encode("utf-8", "surrogatepass"))
