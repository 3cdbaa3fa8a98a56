"""The chain of a model's audit entries, and the governed records that it vouches for."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from cli.verification.findings import Findings
from cli.verification.older import Bounds, unfounded
from cli.verification.records import Records
from modelcycle.registry import keys
from modelcycle.registry.chain import (
    ADOPTED,
    BEFORE_THE_FIRST,
    adopted,
    digest,
    digest_of_hashes,
    entry_hash,
    name_of_record,
    time_of,
)
from modelcycle.registry.keys import Key

MAX_NAMED = 5  # entries in a note
CHANGED = "the entry was changed: it does not match its hash"


def check_chain(model: str, records: Records, findings: Findings) -> dict[int, str]:
    """Check entries, their order and the end of the chain; return the hash of each entry by its number."""
    chained: list[tuple[str, dict[str, Any]]] = []
    older: list[tuple[str, dict[str, Any]]] = []
    for sk, body in records.entries.items():
        (chained if "number" in body else older).append((sk, body))
    findings.count("entries", len(records.entries))
    by_number: dict[int, tuple[str, dict[str, Any]]] = {}
    for sk, body in sorted(chained, key=lambda one: (number_of(one[1]), one[0])):
        where = _where(model, sk)
        if body.get("hash") != entry_hash(body) or keys.audit_entry(model, str(body.get("name"))).sk != sk:
            findings.add(where, CHANGED)
        elif digest(body.get("evidence") or {}) != body.get("evidence_hash"):
            findings.add(where, "the entry's evidence was changed")
        number = number_of(body)
        if number < 1:
            findings.add(where, "the entry's number makes no sense: no entry of the chain has such a one")
        elif number in by_number:
            findings.add(where, f"the entry has the number {number}, as {by_number[number][0]} has")
        else:
            by_number[number] = (sk, body)
    _check_order(model, by_number, records, findings)
    first = by_number.get(1)
    if first is not None:
        older = _check_adopted(model, by_number, dict(older), findings)
        _check_older(model, older, str(first[1].get("older", "")), findings)
    elif older and not chained and records.head is None:
        findings.note(f"{len(older)} audit entries are older than the chain, which begins with the next decision")
    return {number: str(body.get("hash")) for number, (_, body) in by_number.items()}


def check_governed(records: Records, findings: Findings, now: float | None = None) -> None:
    """Check each governed record against the last entry that names it.

    Parameters
    ----------
    now : seconds since 1970
    """
    vouched: dict[str, tuple[str, int, int | None]] = {}
    for body in sorted((body for body in records.entries.values() if number_of(body) > 0), key=number_of):
        until, records_of = _mapping(body.get("until")), _mapping(body.get("records"))
        for name, hashed in records_of.items():
            vouched[name] = (hashed, number_of(body), until.get(name))
    moment = time.time() if now is None else now
    for name, (hashed, number, expires) in vouched.items():
        found = records.governed.get(name)
        if found is None:
            if not isinstance(expires, int) or expires > moment:
                findings.add(name, f"the record is gone; entry {number} of the audit trail wrote it")
        elif found != hashed:
            findings.add(name, f"the record was changed since entry {number} of the audit trail wrote it")
    unvouched = records.governed.keys() - vouched.keys() - records.undecided
    older = Bounds(vouched, _until(records)).older(unvouched & records.older, records.governed.keys())
    older -= unfounded(older, {*vouched, *older}, records, datetime.fromtimestamp(moment, UTC))
    for name in unvouched - older:
        findings.add(name, "no entry of the audit trail wrote the record")


def _check_order(
    model: str, by_number: dict[int, tuple[str, dict[str, Any]]], records: Records, findings: Findings
) -> None:  # fmt: skip
    pk = keys.audit_head(model).pk
    previous, last = BEFORE_THE_FIRST, 0
    for number in sorted(number for number in by_number if number > 0):
        sk, body = by_number[number]
        if number > last + 1:
            missing = f"{last + 1}" if number == last + 2 else f"{last + 1} to {number - 1}"
            findings.add(f"{pk} entry {missing}", "the entry is missing: the numbers have a gap")
        elif body.get("previous") != previous:
            findings.add(_where(model, sk), f"the entry does not follow entry {last}: that one was changed or replaced")
        previous, last = str(body.get("hash")), number
    head = name_of_record(keys.audit_head(model))
    if records.head is None:
        if by_number:
            findings.add(head, "the end of the chain is gone")
        return
    at_end, hashed = records.head.get("number"), records.head.get("hash")
    if isinstance(at_end, int) and at_end > last:
        missing = f"{at_end}" if at_end == last + 1 else f"{last + 1} to {at_end}"
        findings.add(f"{pk} entry {missing}", "the entry is missing: the chain was cut off at its end")
    elif (at_end, hashed) != (last, previous):
        findings.add(head, f"the end of the chain was changed: the last entry is {last}")


def _check_adopted(
    model: str, by_number: dict[int, tuple[str, dict[str, Any]]], older: dict[str, dict[str, Any]], findings: Findings
) -> list[tuple[str, dict[str, Any]]]:
    """Check the entries that others have taken in; return the entries without a number that are left."""
    rest = dict(older)
    for number, (_, body) in sorted(by_number.items()):
        names = adopted([body])
        for sk, hashed in names.items():
            if sk not in older:
                findings.add(_where(model, sk), f"the entry is gone; entry {number} has taken it into the chain")
            elif digest(older[sk]) != hashed:
                findings.add(_where(model, sk), f"the entry was changed since entry {number} took it into the chain")
            rest.pop(sk, None)
        if names:
            findings.note(
                f"entry {number} of {body.get('at')} has taken in entries without a number, which only an earlier"
                f" release writes: {', '.join(sorted(names)[:MAX_NAMED])}{', ...' * (len(names) > MAX_NAMED)}:"
                " make sure that one has run shortly before"
            )
    return list(rest.items())


def _check_older(model: str, older: list[tuple[str, dict[str, Any]]], committed: str, findings: Findings) -> None:
    """Check the entries from before the chain against what its first entry holds."""
    if digest_of_hashes((sk, digest(body)) for sk, body in older) != committed:
        findings.add(
            f"{keys.audit_head(model).pk} entries from before the chain",
            "one was changed, removed or added since the chain began"
            " (what an earlier release adds in the chain's first three days, the function Sweep takes in within a day)",
        )  # fmt: skip


def _until(records: Records) -> datetime | None:
    """Return until when releases without checksums may have run: until the chain began, or last took in entries of one.

    None if there is no chain.
    """
    chained = [body for body in records.entries.values() if number_of(body) > 0]
    known = [body for body in chained if number_of(body) == 1 or body.get("decision") == ADOPTED]
    return max(map(time_of, known)) if known else None


def _mapping(value: Any) -> dict[str, Any]:
    """Return a mapping; an empty one for anything else, which only an entry has that was changed."""
    return value if isinstance(value, dict) else {}


def number_of(body: dict[str, Any]) -> int:
    """Return the number of an entry; 0 if it has none, or one that makes no sense."""
    number = body.get("number")
    return number if isinstance(number, int) else 0


def _where(model: str, sk: str) -> str:
    return name_of_record(Key(keys.audit_head(model).pk, sk))
