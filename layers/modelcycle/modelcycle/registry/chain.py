"""The hash chain of a model's audit trail.

Each entry holds its number, the hash of the entry before, and the hashes of the records that were written with it. So
an entry that is changed, removed or reordered is found, and so is a record that is changed without an entry. A chain
that is cut off at its end is found by the daily seals.

A hash is the SHA-256 of canonical JSON: keys sorted by code point, no spaces, ASCII with escapes, numbers as Python's
`json` writes them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from modelcycle.registry import keys
from modelcycle.registry.keys import Key
from modelcycle.registry.table import Record, Write

BEFORE_THE_FIRST = "0" * 64  # `previous` of entry 1
ADOPTED = "adopted"  # the decision of an entry that takes in others, and where its evidence names them
ADOPTED_WITHIN = timedelta(days=3)
"""Since the chain began: how long code of an earlier release may still run while a deployment moves traffic."""

MAX_ADOPTED = 1000  # entries that one entry takes in, of 150 bytes each; an item of DynamoDB holds 400 KB


class Head(BaseModel):
    """The end of a chain: the number and the hash of its last entry."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    number: int = 0
    hash: str = BEFORE_THE_FIRST


def digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value.

    >>> digest({"b": 1, "a": [0.1, "é"]}) == digest(json.loads('{ "a": [0.1, "\\\\u00e9"], "b": 1 }'))
    True
    """
    as_stored = json.loads(json.dumps(value))
    text = json.dumps(as_stored, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def entry_hash(body: Mapping[str, Any]) -> str:
    """Return the hash of an entry: of all that its record holds, but for the hash itself."""
    return digest({name: value for name, value in body.items() if name != "hash"})


def name_of_record(key: Key) -> str:
    """Return the name of a record in an entry: both parts of its key.

    >>> print(name_of_record(keys.route("churn")))
    ROUTE#churn|ROUTE
    """
    return f"{key.pk}|{key.sk}"


def governed_hashes(writes: Iterable[Write]) -> tuple[dict[str, str], dict[str, int]]:
    """Return the hash of each governed record that is written, and when DynamoDB deletes those that expire."""
    governed = {
        name_of_record(key): write
        for write in writes if keys.is_governed(key := Key(write.pk, write.sk))
    }  # fmt: skip
    hashes = {name: digest(write.body) for name, write in governed.items()}
    return hashes, {name: write.expires for name, write in governed.items() if write.expires}


def digest_of_older(entries: Iterable[Record]) -> str:
    """Return the hash of all entries from before the chain, which its first entry holds; empty if there are none."""
    return digest_of_hashes((record.sk, digest(record.body)) for record in entries if "number" not in record.body)


def digest_of_hashes(hashes: Iterable[tuple[str, str]]) -> str:
    """Return the hash of entries of which the hashes are known, by `sk`; empty if there are none."""
    older = sorted(map(list, hashes))
    return digest(older) if older else ""


def time_of(body: Mapping[str, Any]) -> datetime:
    """Return the time of an entry; the earliest one if it makes no sense, because the entry was changed."""
    try:
        at = datetime.fromisoformat(str(body.get("at")))
    except ValueError:
        at = datetime.min
    return at.replace(tzinfo=at.tzinfo or UTC)


def adopted(entries: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the entries that entries of the chain have taken in later: the hash of each body, by its `sk`.

    Parameters
    ----------
    entries : bodies
    """
    found: dict[str, str] = {}
    for body in entries:
        evidence = body.get("evidence")
        if "number" in body and body.get("decision") == ADOPTED and isinstance(evidence, dict):
            named = evidence.get(ADOPTED)
            found |= named if isinstance(named, dict) else {}
    return found


def written_since(entries: Mapping[str, Mapping[str, Any]], now: datetime) -> dict[str, str]:
    """Return the entries without a number that were written after the chain had begun, and that nobody has taken in.

    Code of an earlier release writes such ones while traffic moves to a new release. The first chained entry holds one
    hash of all that were there before. So what is younger is found by leaving out the youngest ones until that hash is
    right. If it never is, an old entry was changed, removed or added, and none is taken in: that has to stay visible.

    None is taken in either where no earlier release can be at work: of a model that has no entry from before the chain,
    and more than `ADOPTED_WITHIN` after the chain began. The present counts, and not the time that an entry states.

    Parameters
    ----------
    entries : bodies, by `sk`
    now : the present

    Returns
    -------
    the hash of each body, by its `sk`
    """
    first = next((body for body in entries.values() if body.get("number") == 1), None)
    if first is None or not first.get("older") or now > time_of(first) + ADOPTED_WITHIN:
        return {}
    known = adopted(entries.values())
    unnumbered = [(sk, body) for sk, body in entries.items() if "number" not in body and sk not in known]
    unnumbered.sort(key=lambda one: time_of(one[1]))
    hashes = [(sk, digest(body)) for sk, body in unnumbered]
    for end in range(len(hashes), max(-1, len(hashes) - MAX_ADOPTED - 1), -1):
        if digest_of_hashes(hashes[:end]) == str(first.get("older", "")):
            return dict(hashes[end:])
    return {}


def append(
    model: str, head: Head, revision: int, bodies: Sequence[tuple[str, Mapping[str, Any]]], writes: Iterable[Write],
    older: str = "",
) -> list[Write]:  # fmt: skip
    """Return the writes of further entries and of the new head, for the transaction of what they decide.

    Parameters
    ----------
    head, revision : the end of the chain as it was read; 0 if there is no chain yet
    bodies : of the entries, by name
    writes : of the same transaction; the last entry holds the hashes of those that are governed
    older : hash of the entries from before the chain
    """
    hashes, until = governed_hashes(writes)
    made = []
    for place, (name, body) in enumerate(bodies, 1):
        is_last = place == len(bodies)
        entry = dict(body) | {
            "name": name, "number": head.number + 1, "previous": head.hash,
            "evidence_hash": digest(body.get("evidence") or {}), "records": hashes if is_last else {},
        }  # fmt: skip
        entry |= {"until": until} if is_last and until else {}
        entry |= {"older": older} if older and head.number == 0 else {}
        entry["hash"] = entry_hash(entry)
        head = Head(number=entry["number"], hash=entry["hash"])
        made.append(Write(*keys.audit_entry(model, name), entry))
    return [*made, Write(*keys.audit_head(model), head.model_dump(), revision)]
