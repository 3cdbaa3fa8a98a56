"""The test rows on which a version was judged, without those of the subjects: monitoring keeps its reference.

Features, labels and scores have one order. So the positions are found first, and kept with the hashes of the files.
Each file then loses the same rows, once, however often the step is killed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from modelcycle.erase.arrays import positions_of, rows_in, without_rows
from modelcycle.erase.subjects import Subjects
from modelcycle.messages import Artifact
from modelcycle.model.columns import Texts
from modelcycle.model.npz import from_npz, to_npz
from modelcycle.model.scoring import Scores
from modelcycle.registry import ReferenceRows, Version

Without = Callable[[bytes, Sequence[int]], bytes]


def files_of(rows: ReferenceRows) -> dict[str, Artifact]:
    """Return the files of a reference, by name."""
    files = {"features": rows.features, "labels": rows.labels, "scores": rows.scores}
    return files | ({"recent": rows.recent} if rows.recent is not None else {})


def test_rows_of(features: bytes, subjects: Subjects, *, exactly: bool = False) -> list[int] | None:
    """Return the positions of the subjects among the test rows; None if these have no column that identifies them."""
    positions = positions_of(features, subjects, exactly=exactly)
    return None if positions is None else [int(position) for position in positions]


def run_of(features: Artifact) -> str:
    """Return the run that has written test rows.

    >>> run_of(Artifact(uri="s3://artifacts/holdout/features/churn/r1.npz", sha256="", bytes=1))
    'r1'
    """
    return features.uri.rpartition("/")[2].removesuffix(".npz")


def positions_in_test(parts: bytes, snapshot_rows: Iterable[int], test_part: int = 2) -> list[int]:
    """Return the positions among the test rows of rows of a snapshot.

    Parameters
    ----------
    parts : npz: the part of each row of the snapshot, see `Preprocessed.parts`
    snapshot_rows : their positions in the snapshot
    """
    part = from_npz(parts)["parts"]
    among = np.cumsum(part == test_part) - 1
    return [int(among[row]) for row in snapshot_rows if row < len(part) and part[row] == test_part]


def without(name: str, body: bytes, rows: Sequence[int]) -> bytes:
    """Return a file of a reference without some of the test rows."""
    return _WITHOUT[name](body, rows)


def _table(body: bytes, rows: Sequence[int]) -> bytes:
    return without_rows(body, rows, rows_in(body))


def _scores(body: bytes, rows: Sequence[int]) -> bytes:
    stored = Scores.from_bytes(body)
    keep = np.ones(len(stored.scores), dtype=bool)
    keep[list(rows)] = False
    groups = {name: Texts(texts.codes[keep], texts.levels) for name, texts in stored.groups.items()}
    return Scores(stored.scores[keep], groups).to_bytes()


def _recent(body: bytes, rows: Sequence[int]) -> bytes:
    """The positions of compared rows among the test rows, and which of them are recent."""
    stored = from_npz(body)
    positions = stored["positions"]
    gone = np.array(sorted(rows), dtype=positions.dtype)
    keep = ~np.isin(positions, gone)
    left = {
        name: array[keep] if array.ndim and len(array) == len(positions) else array for name, array in stored.items()
    }
    left["positions"] = left["positions"] - np.searchsorted(gone, left["positions"])
    return to_npz(**left)


_WITHOUT: Mapping[str, Without] = {"features": _table, "labels": _table, "scores": _scores, "recent": _recent}


def kept_keys(versions: Iterable[Version], bucket: str) -> set[str]:
    """Return the keys of what versions need: their tables are rewritten, never deleted."""
    found = set()
    for version in versions:
        if version.reference is not None:
            for artifact in files_of(version.reference).values():
                found.add(artifact.uri.removeprefix(f"s3://{bucket}/"))
        if version.cases is not None:
            found.add(version.cases.uri.removeprefix(f"s3://{bucket}/"))
    return found
