"""Rows before the window that a run learns from: what the champion knows, and the candidate may have forgotten."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelcycle.find_unseen.snapshot import Mask, Snapshot
from modelcycle.messages import Artifact, OlderRows, Run
from modelcycle.model.columns import TableSchema
from modelcycle.model.fields import Field
from modelcycle.model.npz import to_npz
from modelcycle.model.signature import Signature
from modelcycle.store import MAX_OBJECT_BYTES, Store

OLDER = 254  # in `parts`
MAX_OLDER_ROWS = 20_000
MIN_OLDER_ROWS = 100  # fewer have no slice that is large enough to judge


def read_older_rows(
    run: Run, snapshot: Snapshot, parts: npt.NDArray[np.uint8], unseen: Mask, cases: npt.NDArray[np.uint64],
    table: TableSchema, champion: Signature, missing: list[str], artifacts: Store,
) -> OlderRows | None:  # fmt: skip
    """Read the older rows that the champion has not learned from, for both models; nor has the candidate.

    Parameters
    ----------
    parts, unseen, cases : of the rows of the snapshot (n,): part, whether the champion has not learned from it, and its
        case, so that rows of one entity count as one
    table : how the candidate reads columns
    missing : texts that mean a missing value

    Returns
    -------
    None if there are too few, or if they are too large for an object
    """
    is_older = parts == OLDER
    positions = np.flatnonzero((is_older & unseen)[is_older])
    if len(positions) < MIN_OLDER_ROWS:
        return None
    positions = positions[:: -(-len(positions) // MAX_OLDER_ROWS)]
    chosen = np.zeros(len(parts), dtype=np.bool_)
    chosen[np.flatnonzero(is_older)[positions]] = True
    snapshot.select("older_rows", chosen)
    fields = [Field(name=column.name, **column.reading()) for column in table.columns]
    own = snapshot.read("older_rows", len(positions), fields, table.missing_values).to_bytes()
    other = snapshot.read("older_rows", len(positions), champion.fields, missing).to_bytes()
    if max(len(own), len(other)) > MAX_OBJECT_BYTES:
        return None
    cluster = np.unique(cases[chosen], return_inverse=True)[1].astype(np.int32)

    def put(suffix: str, body: bytes) -> Artifact:
        return artifacts.put(run.holdout_key("features", suffix), body)

    return OlderRows(
        rows=len(positions),
        positions=artifacts.put(run.key("find_unseen", "older.npz"), to_npz(positions=positions, cluster=cluster)),
        features=put("-older", own),
        champion_features=put("-older-champion", other),
    )
