"""Governed records without a checksum: which may be of a release before checksums, and which cannot be."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from modelcycle.registry import keys
from modelcycle.registry.chain import name_of_record
from modelcycle.registry.keys import Key


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


def _key(name: str) -> Key:
    pk, _, sk = name.partition("|")
    return Key(pk, sk)


def _is_state(key: Key) -> bool:
    return key.sk.startswith(keys.states("").sk)
