"""The reference of a version: the test rows on which it was judged, or a sample of them.

Test rows are kept from everything that learns; that live traffic is compared with them tells nobody their labels.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from modelcycle.faults import Tampered, Unknown
from modelcycle.model.columns import Texts, Values
from modelcycle.model.npz import from_npz
from modelcycle.model.scoring import ScoreArray, Scores
from modelcycle.model.stored_columns import StoredColumns, StoredValues
from modelcycle.model.window import MAX_REFERENCE_ROWS
from modelcycle.registry import ReferenceRows, Version
from modelcycle.store import Store


@dataclass(frozen=True)
class Reference:
    """n rows on which a version was judged.

    Parameters
    ----------
    columns : typed columns of all test rows, in a file
    positions : (n,), ascending: those of the reference
    scores : (n, k), of the judged model; see `model.scoring`
    target : (n,), classes by code, or numbers
    groups : by sensitive column, the group (n,) of each row
    cutoffs : threshold (n,) of each row, where groups have thresholds of their own
    """

    columns: StoredColumns
    positions: npt.NDArray[np.int64]
    scores: ScoreArray
    target: npt.NDArray[Any]
    groups: dict[str, Texts]
    cutoffs: npt.NDArray[np.float32] | None = None
    _read: dict[str, Values] = field(default_factory=dict)  # at most MAX_REFERENCE_ROWS of each column

    @property
    def rows(self) -> int:
        """Number of rows, n."""
        return len(self.positions)

    def values(self, name: str) -> Values | None:
        """Return a column (n,), read from the file once; None if the test rows do not have it."""
        if name not in self.columns.values:
            return None
        if name not in self._read:
            self._read[name] = StoredValues(self._file, self.positions)[name]
        return self._read[name]

    @property
    def _file(self) -> zipfile.ZipFile:
        assert isinstance(self.columns.values, StoredValues)
        return self.columns.values.file


@contextmanager
def open_reference(version: Version, artifacts: Store, folder: Path) -> Iterator[Reference | str]:
    """Open a version's reference for the duration of a `with` block.

    Parameters
    ----------
    artifacts : the bucket of the versions' artifacts
    folder : for the files; the caller removes it

    Yields
    ------
    the reference; or why there is none, as a clause
    """
    if version.reference is None:
        yield f"version {version.version} is older than kept references"
        return
    try:
        judged = read_judged(version.reference, artifacts)
        features = artifacts.fetch(version.reference.features, folder)
    except Unknown:
        yield f"the test rows of version {version.version} were deleted"
        return
    except Tampered:
        yield f"the test rows of version {version.version} were changed after it was judged"
        return
    if judged is None:
        yield f"the scores of version {version.version} are of other rows than its test rows"
        return
    with zipfile.ZipFile(features) as file:
        yield Reference(
            StoredColumns(StoredValues(file), None),
            judged.positions,
            judged.scores,
            judged.target,
            judged.groups,
            judged.cutoffs,
        )


class Judged(NamedTuple):
    """How a version was judged on the rows of its reference; the fields are those of `Reference`."""

    positions: npt.NDArray[np.int64]
    scores: ScoreArray
    target: npt.NDArray[Any]
    groups: dict[str, Texts]
    cutoffs: npt.NDArray[np.float32] | None = None


def read_judged(rows: ReferenceRows, artifacts: Store) -> Judged | None:
    """Read scores, targets and groups of a reference; None if they are not of the same rows.

    Raises
    ------
    Unknown, Tampered : an object was deleted or changed
    """
    scores = Scores.from_bytes(artifacts.read(rows.scores))
    target = from_npz(artifacts.read(rows.labels))["target"]
    if len(scores.scores) != len(target):
        return None
    positions = _positions(rows, len(target), artifacts)
    groups = {name: Texts(texts.codes[positions], texts.levels) for name, texts in scores.groups.items()}
    cutoffs = None if scores.cutoffs is None else scores.cutoffs[positions]
    return Judged(positions, scores.scores[positions], target[positions], groups, cutoffs)


def _positions(rows: ReferenceRows, count: int, artifacts: Store) -> npt.NDArray[np.int64]:
    """Return the positions of a reference among the test rows, ascending."""
    if rows.recent is None:
        return sampled_positions(count)
    stored = from_npz(artifacts.read(rows.recent))
    recent: npt.NDArray[np.int64] = stored["positions"][stored["recent"]]
    return recent[sampled_positions(len(recent))]


def sampled_positions(rows: int, most: int = MAX_REFERENCE_ROWS) -> npt.NDArray[np.int64]:
    """Return at most `most` of the positions of rows, ascending: those with the smallest hashes.

    The same rows always give the same sample; whatever order they are in, it is one by chance.

    Examples
    --------
    >>> sampled_positions(3).tolist(), len(sampled_positions(1000, 10))
    ([0, 1, 2], 10)
    """
    if rows <= most:
        return np.arange(rows, dtype=np.int64)
    chosen = np.argpartition(_hashes(rows), most)[:most]
    return np.sort(chosen).astype(np.int64)


def _hashes(rows: int) -> npt.NDArray[np.uint64]:
    """Return a hash of each position (splitmix64; Steele, Lea and Flood, Fast splittable pseudorandom number
    generators, OOPSLA 2014)."""
    mixed = (np.arange(1, rows + 1, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
