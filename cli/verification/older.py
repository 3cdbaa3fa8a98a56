"""Governed records without a checksum: which may be of a release before checksums, and which cannot be."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from cli.verification.records import Records
from modelcycle.registry import keys
from modelcycle.registry.chain import name_of_record
from modelcycle.registry.keys import Key
from modelcycle.registry.retrainings import DECISIONS_KEPT
from modelcycle.spec.serving import Capture

UNTIL_DELETED = timedelta(days=3)
"""How long DynamoDB may keep one of two records that expire together (AWS page "Using time to live": some days)."""


class Bounds:
    """How far the records reach that a release before checksums has written, as the chain tells it.

    Versions and moves are numbered without gaps, so an older one has a smaller number than the newest that an entry
    vouches for. Runs and decisions on retraining have their time in their key.

    Parameters
    ----------
    vouched : names of the records that entries of the chain name
    until : when code of that release was last known to run; None: there is no chain yet
    """

    def __init__(self, vouched: Iterable[str], until: datetime | None) -> None:
        self.until = until
        self.newest: dict[str, int] = {}
        for key in map(_key, vouched):
            # states and judgements are written with an entry also where their version or move is older
            numbered = keys.number_within(key)
            if numbered and key.sk.startswith((keys.versions("").sk, keys.moves("").sk)):
                kind, number = numbered
                self.newest[kind] = max(number, self.newest.get(kind, 0))

    def older(self, names: Collection[str], all_names: Collection[str]) -> set[str]:
        """Return those of the records that may be older.

        Parameters
        ----------
        all_names : of all governed records of the model
        """
        return {name for name in names if self._may_be(_key(name), all_names)}

    def _may_be(self, key: Key, all_names: Collection[str]) -> bool:
        model = key.pk.partition("#")[2]
        if key.pk == keys.approval(model, 0).pk:  # approvals came with checksums
            return False
        if self.until is None:
            return True
        try:
            at = keys.time_within(key)
        except ValueError:
            return False
        if at is not None:
            return at <= self.until
        numbered = keys.number_within(key)
        if numbered is None:
            return True
        kind, number = numbered
        if _is_state(key) and name_of_record(keys.version(model, number)) not in all_names:
            return False
        return kind not in self.newest or number < self.newest[kind]


def unfounded(names: Collection[str], known: Collection[str], records: Records, now: datetime) -> set[str]:
    """Return the older claims, of contents and of requests for runs, that no other record bears out.

    A claim's key has neither a number nor a time by which it could be found to be young. But what it says is also said
    elsewhere: a content is that of the version which it names, and an answer to a request is also a decision, whose key
    has its time.

    Parameters
    ----------
    names : of older records
    known : of the records that the chain vouches for or that may be older
    """
    return {
        name for name in names
        if (body := records.claims.get(name)) is not None and not _is_borne_out(_key(name), body, known, records, now)
    }  # fmt: skip


def _is_borne_out(
    key: Key, body: Mapping[str, Any], known: Collection[str], records: Records, now: datetime
) -> bool:  # fmt: skip
    model = key.pk.partition("#")[2]
    try:
        if key == keys.content(model, key.sk.partition("#")[2]):
            number = int(body["version"])
            is_known = name_of_record(keys.version(model, number)) in known
            return is_known and key.sk.partition("#")[2] in _contents(records.versions[number])
        at = datetime.fromisoformat(body["at"])
        if at + DECISIONS_KEPT <= now <= at + DECISIONS_KEPT + UNTIL_DELETED:
            return True
        decision = name_of_record(keys.retraining_decision(model, at, str(body["request_id"])))
        named = keys.retraining_request(model, str(body["request_id"])) == key
        return named and decision in known and records.governed[decision] == records.governed[name_of_record(key)]
    except (KeyError, TypeError, ValueError):
        return False


def _contents(version: Mapping[str, Any]) -> list[str]:
    """Return the hashes that a version's content may have, as `register` makes them: without or with what is captured.

    Parameters
    ----------
    version : the body of its record
    """
    content = " ".join(version[name]["sha256"] for name in ("onnx", "signature", "profile"))
    capture = Capture.model_validate(version.get("capture", {})).model_dump_json()  # the record has its fields sorted
    return [hashlib.sha256(text.encode()).hexdigest() for text in (content, f"{content} {capture}")]


def _key(name: str) -> Key:
    pk, _, sk = name.partition("|")
    return Key(pk, sk)


def _is_state(key: Key) -> bool:
    return key.sk.startswith(keys.states("").sk)
