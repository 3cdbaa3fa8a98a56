"""What became of source files: an earlier erasure may have written them anew, without somebody else's rows.

A version names its files by the hashes that they had when it learned from them. Its tables may be gone since. So its
files tell whether it has learned from somebody's rows: their hash leads to that of a file that still has these rows.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable

from modelcycle.erase.leftovers import other_folders, tombstones_of
from modelcycle.erase.work import Tombstone, Work
from modelcycle.erasing_store import S3ErasingStore
from modelcycle.messages.erasure import erasures_prefix

BY_RETENTION = "retention-"  # begins the names of what `sweep` has deleted for its age: nothing is in its place


class Ancestry:
    """Which hashes of a file of the data bucket lead to which later ones.

    >>> stones = [("a", "b"), ("b", "c"), ("old", "b"), ("gone", None)]
    >>> made = Ancestry(Tombstone(bucket="data", key="raw/m/f", was=was, now=now) for was, now in stones)
    >>> sorted(made.later("raw/m/f", "a")), sorted(made.later("raw/m/f", "gone")), sorted(made.later("raw/m/g", "a"))
    (['b', 'c'], [], [])
    """

    def __init__(self, tombstones: Iterable[Tombstone]) -> None:
        self._next: dict[tuple[str, str], set[str]] = defaultdict(set)
        for stone in tombstones:
            if stone.bucket == "data" and stone.now is not None:
                self._next[stone.key, stone.was].add(stone.now)

    def later(self, key: str, sha256: str) -> set[str]:
        """Return the hashes that a file of that hash has had since."""
        found: set[str] = set()
        waiting = [sha256]
        while waiting:
            new = self._next.get((key, waiting.pop()), set()) - found
            found |= new
            waiting += new
        return found


def ancestry(work: Work, artifacts: S3ErasingStore) -> Ancestry:
    """Return what all other erasures of the model have made of its files, also those that have not ended."""
    stones = tombstones_of(other_folders(work, artifacts))
    root = erasures_prefix(work.model)
    for listed in artifacts.list(root):
        name = listed.key.removeprefix(root)
        if name.endswith("/tombstones.json") and not name.startswith(BY_RETENTION):
            told = json.loads(artifacts.latest(listed.key)[0])
            stones += [Tombstone.model_validate(stone) for stone in told["erased"]]
    return Ancestry(stones)
