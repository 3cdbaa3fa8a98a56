"""Governed records without a checksum: which may be of a release before checksums, and which cannot be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime

from modelcycle.registry.chain import name_of_record
from modelcycle.registry.keys import Key

RUN_TIME = "%Y%m%dT%H%M%S"  # at the beginning of a run's id


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
        for name in vouched:
            kind, number = _numbered(name)
            self.newest[kind] = max(number, self.newest.get(kind, 0))

    def older(self, names: Collection[str], versions: Collection[str]) -> set[str]:
        """Return those of the records that may be older.

        Parameters
        ----------
        versions : names of all records of versions
        """
        return {name for name in names if self._may_be(name, versions)}

    def _may_be(self, name: str, versions: Collection[str]) -> bool:
        pk, _, sk = name.partition("|")
        kind, _, model = pk.partition("#")
        if kind == "APPROVAL":  # came with checksums
            return False
        if self.until is None:
            return True
        if kind == "STATE":
            version = name_of_record(Key(f"VERSION#{model}", sk.replace("STATE#", "VERSION#", 1)))
            return version in versions and self._is_before(version)
        if kind == "RUN":
            return self._is_in_time(lambda: datetime.strptime(sk.split("#")[1][:15], RUN_TIME))
        if sk.startswith("DECISION#"):
            return self._is_in_time(lambda: datetime.fromisoformat(sk.split("#")[1]))
        return self._is_before(name)

    def _is_before(self, name: str) -> bool:
        kind, number = _numbered(name)
        return kind == "" or kind not in self.newest or number < self.newest[kind]

    def _is_in_time(self, read: Callable[[], datetime]) -> bool:
        try:
            at = read()
        except ValueError:
            return False
        return self.until is not None and at.replace(tzinfo=at.tzinfo or UTC) <= self.until


def _numbered(name: str) -> tuple[str, int]:
    """Return what a record's number counts, and the number; a judgement has that of the move that it judges.

    >>> _numbered("ROUTE#churn|MOVE#00000007"), _numbered("EVIDENCE#churn|JUDGEMENT#r#00000001#00000007")
    (('MOVE', 7), ('MOVE', 7))
    >>> _numbered("VERSION#churn|LATEST")
    ('', 0)
    """
    sk = name.partition("|")[2]
    kind, _, number = sk.partition("#")
    if kind == "JUDGEMENT":
        kind, number = "MOVE", number.rpartition("#")[2]
    return (kind, int(number)) if kind in ("VERSION", "MOVE") and number.isdecimal() else ("", 0)
