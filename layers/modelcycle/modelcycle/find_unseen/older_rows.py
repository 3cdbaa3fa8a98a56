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
) -> OlderRows | str:  # fmt: skip
    """Read the older rows that the champion has not learned from, for both models; nor has the candidate.

    Parameters
    ----------
    parts, unseen, cases : of the rows of the snapshot (n,): part, whether the champion has not learned from it, and its
        case, so that rows of one entity count as one
    table : how the candidate reads columns
    missing : texts that mean a missing value

    Returns
    -------
    why there are none, as a clause; empty if no row is older
    """
    is_older = parts == OLDER
    if not is_older.any():
        return ""
    positions = np.flatnonzero((is_older & unseen)[is_older])
    if len(positions) < MIN_OLDER_ROWS:
        return (
            f"{len(positions):,} of {int(is_older.sum()):,} are rows that neither model has learned from,"
            f" {MIN_OLDER_ROWS} are needed"
        )
    fields = [Field(name=column.name, **column.reading()) for column in table.columns]
    positions = positions[:: -(-len(positions) // MAX_OLDER_ROWS)]
    while True:
        chosen = np.zeros(len(parts), dtype=np.bool_)
        chosen[np.flatnonzero(is_older)[positions]] = True
        chosen_rows = f"older_rows_{len(positions)}"
        snapshot.select(chosen_rows, chosen)
        own = snapshot.read(chosen_rows, len(positions), fields, table.missing_values).to_bytes()
        other = snapshot.read(chosen_rows, len(positions), champion.fields, missing).to_bytes()
        size = max(len(own), len(other))
        if size <= MAX_OBJECT_BYTES:
            break
        fewer = positions[::2]
        if len(fewer) < MIN_OLDER_ROWS:
            return f"{len(positions):,} of them have {size >> 20:,} MiB; the limit is {MAX_OBJECT_BYTES >> 20} MiB"
        positions = fewer
    cluster = np.unique(cases[chosen], return_inverse=True)[1].astype(np.int32)

    def put(suffix: str, body: bytes) -> Artifact:
        return artifacts.put(run.holdout_key("features", suffix), body)

    return OlderRows(
        rows=len(positions),
        positions=artifacts.put(run.key("find_unseen", "older.npz"), to_npz(positions=positions, cluster=cluster)),
        features=put("-older", own),
        champion_features=put("-older-champion", other),
    )
