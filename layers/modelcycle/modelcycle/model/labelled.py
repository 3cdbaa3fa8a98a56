"""Live predictions whose outcome is known, as `summarize` joins them and `monitor` measures them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.columns import Texts
from modelcycle.model.group_cutoffs import Cutoffs, RowCutoffs, of_rows
from modelcycle.model.npz import from_json_array, from_npz, json_array, to_npz
from modelcycle.model.signature import DEFAULT_THRESHOLD, Signature
from modelcycle.model.slices import Slices

MAX_LABELLED_ROWS = 200_000  # the newest

MISSING = "(missing)"  # the group of rows whose value is not known


@dataclass(frozen=True)
class Labelled:
    """n predictions in the order of their time, each id once, with the latest outcome.

    Parameters
    ----------
    at : float64 (n,), seconds since 1970 UTC, of the prediction
    version : int32 (n,), the version that answered
    scores : float32 (n, k), as in `model.scoring`; rows whose probabilities were not captured are left out
    outcome : float64 (n,), the class's code or the number
    slices : each row's group by column that the model reads
    groups : each row's group by sensitive column, where requests or outcomes hold it
    predicted : rows of all predictions, by day (YYYY-MM-DD) and version, with or without an outcome
    counts : of outcomes, without those that are zero: `rows`, `known`, `unknown`, `twice`, `contradictory`,
        `out of order`, `of another type`, ...; docs/feedback.md explains them
    cutoffs : float32 (n,), threshold of each row, where groups have thresholds of their own; not in the file
    """

    at: npt.NDArray[np.float64]
    version: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    outcome: npt.NDArray[np.float64]
    slices: Slices
    groups: Slices
    predicted: dict[str, dict[str, int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    cutoffs: RowCutoffs | None = None

    def cutoffs_of(self, rows: npt.NDArray[Any], threshold: float) -> Cutoffs:
        """Return from which probability the positive class is predicted on some rows.

        Parameters
        ----------
        threshold : that of all rows, unless groups have thresholds of their own
        """
        return threshold if self.cutoffs is None else self.cutoffs[rows]

    def with_cutoffs(self, signatures: Mapping[int, Signature]) -> Labelled:
        """Return the same rows with the thresholds of their groups, if one of the versions has any.

        Parameters
        ----------
        signatures : by version; rows of other versions have the usual threshold
        """
        if not any(signature.groups for signature in signatures.values()):
            return self
        columns = {
            name: Texts(codes.astype(np.int32), [name if name != MISSING else "" for name in names])
            for name, names, codes in zip(self.groups.columns, self.groups.groups, self.groups.codes, strict=True)
        }
        cutoffs = np.full(len(self.at), DEFAULT_THRESHOLD, dtype=np.float32)
        for version, signature in signatures.items():
            own = self.version == version
            cutoffs[own] = of_rows(signature.cutoffs(columns, len(self.at)), own)
        return replace(self, cutoffs=cutoffs)

    def to_bytes(self) -> bytes:
        """Return an npz file; equal rows give equal bytes."""
        return to_npz(
            at=self.at, version=self.version, scores=self.scores, outcome=self.outcome,
            slices=np.frombuffer(self.slices.to_bytes(), dtype=np.uint8),
            groups=np.frombuffer(self.groups.to_bytes(), dtype=np.uint8),
            told=json_array({"predicted": self.predicted, "counts": self.counts}),
        )  # fmt: skip

    @staticmethod
    def from_bytes(body: bytes) -> Labelled:
        """Return the rows in an npz file of `to_bytes`."""
        stored = from_npz(body)
        slices, groups = (Slices.from_bytes(stored.pop(name).tobytes()) for name in ("slices", "groups"))
        told: dict[str, dict[str, Any]] = from_json_array(stored["told"])
        return Labelled(
            at=stored["at"], version=stored["version"], scores=stored["scores"], outcome=stored["outcome"],
            slices=slices, groups=groups, predicted=told["predicted"], counts=told["counts"],
        )  # fmt: skip
