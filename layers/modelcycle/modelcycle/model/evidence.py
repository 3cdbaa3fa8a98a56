"""How the scores of a sample of test rows change when columns are changed: evidence of what the model relies on.

`score_candidate` scores the changed rows; `validate`, which has the labels, computes what each change costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.model.npz import from_json_array, from_npz, json_array, to_npz

ScoreArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Evidence:
    """Scores of m test rows after changes.

    Parameters
    ----------
    positions : of the rows among the test rows, (m,)
    columns : of the model whose values were permuted, the most influential first
    permuted : (columns, m, k), the scores after the permutation of each
    shares : of the cells that were made missing
    missing : (shares, m, k), the scores after that
    dependence : partial dependence of columns, as JSON: {column, values, scores}
    left_out : columns of the model that were not permuted, because there are too many
    """

    positions: npt.NDArray[np.int64]
    columns: list[str]
    permuted: ScoreArray
    shares: list[float]
    missing: ScoreArray
    dependence: list[dict[str, Any]]
    left_out: list[str]

    def to_bytes(self) -> bytes:
        """Return an npz file; equal evidence gives equal bytes."""
        texts = {
            "columns": self.columns, "shares": self.shares, "dependence": self.dependence,
            "left_out": self.left_out,
        }  # fmt: skip
        return to_npz(
            positions=self.positions, permuted=self.permuted, missing=self.missing, texts=json_array(texts)
        )  # fmt: skip

    @staticmethod
    def from_bytes(body: bytes) -> Evidence:
        """Return the evidence in an npz file of `to_bytes`."""
        stored = from_npz(body)
        return Evidence(
            positions=stored["positions"], permuted=stored["permuted"], missing=stored["missing"],
            **from_json_array(stored["texts"]),
        )  # fmt: skip
