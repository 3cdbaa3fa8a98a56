"""Live predictions whose outcome is known, as `summarize` joins them and `monitor` measures them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.npz import from_json_array, from_npz, json_array, to_npz
from modelcycle.model.slices import Slices

MAX_LABELLED_ROWS = 200_000  # the newest


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
    """

    at: npt.NDArray[np.float64]
    version: npt.NDArray[np.int32]
    scores: npt.NDArray[np.float32]
    outcome: npt.NDArray[np.float64]
    slices: Slices
    groups: Slices
    predicted: dict[str, dict[str, int]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

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
