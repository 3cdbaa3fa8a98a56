"""Slices of the test rows: the group of each row by column.

`score_candidate`, which reads the features, writes them; `validate`, which reads the labels, measures each slice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelcycle.model.npz import from_json_array, from_npz, json_array, to_npz


@dataclass(frozen=True)
class Slices:
    """Groups of n rows by column.

    Parameters
    ----------
    columns : names
    groups : names of the groups of each column
    codes : int8 (columns, n), the group of each row; every row has one
    left_out : number of columns that are not here, because there are too many
    """

    columns: list[str]
    groups: list[list[str]]
    codes: npt.NDArray[np.int8]
    left_out: int = 0

    def to_bytes(self) -> bytes:
        """Return an npz file; equal slices give equal bytes.

        Examples
        --------
        >>> slices = Slices(["region"], [["north", "south"]], np.array([[0, 1, 1]], dtype=np.int8))
        >>> Slices.from_bytes(slices.to_bytes()).groups
        [['north', 'south']]
        """
        names = {"columns": self.columns, "groups": self.groups, "left_out": self.left_out}
        return to_npz(codes=self.codes, names=json_array(names))

    @staticmethod
    def from_bytes(body: bytes) -> Slices:
        """Return the slices in an npz file of `to_bytes`."""
        stored = from_npz(body)
        return Slices(codes=stored["codes"], **from_json_array(stored["names"]))
