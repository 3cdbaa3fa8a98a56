"""The rows of one version, and which of them are in each window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.engine import Engine

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """The rows of one version, n in all windows together.

    Parameters
    ----------
    source : SQL of them
    counts : number of rows in each window; those of the first one are all
    windows : SQL of whether a row is in each window
    """

    engine: Engine
    source: str
    counts: Sequence[int]
    windows: Sequence[str]

    def fetch(self, columns: Mapping[str, str], source: str = "") -> dict[str, npt.NDArray[Any]]:
        """Return the values (n,) of SQL expressions by name, beside `row_id` and always in its order.

        DuckDB reads files in their order, but joins leave rows in another one.

        Parameters
        ----------
        source : what follows FROM, with `row_id`; by default these rows
        """
        asked = ", ".join(["row_id", *(f"{sql} AS {name}" for name, sql in columns.items())])
        found: dict[str, npt.NDArray[Any]] = self.engine.execute(
            f"SELECT {asked} FROM {source or self.source}"
        ).fetchnumpy()
        row_id = found["row_id"]
        if (row_id[1:] < row_id[:-1]).any():
            order = np.argsort(row_id)
            return {name: values[order] for name, values in found.items()}
        return found

    @cached_property
    def masks(self) -> list[Mask]:
        """For each window, whether a row (n,) is in it."""
        found = self.fetch({f"w{n}": window for n, window in enumerate(self.windows)})
        return [found[f"w{n}"] for n in range(len(self.windows))]

    def of_windows(self, values: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
        """Return those of the values (n,) that are in each window."""
        return [values if mask.all() else values[mask] for mask in self.masks]

    def positions(self, row_ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return where rows are among the n, by their `row_id`."""
        return np.searchsorted(self.fetch({})["row_id"], row_ids)
