"""Bins of a column's values, made of a reference, so that later values can be counted by the same.

Numbers: the bins lie between quantiles of the reference, and a value that is frequent there has a bin of its own. The
counts of the reference are then nearly equal, and a test of them has about the power of one that knows the values
(Mann and Wald, On the choice of the number of class intervals, Annals of Mathematical Statistics, 1942).

Texts: a bin for each of some frequent texts, and HASH_BINS for all others by their hash. The training rows decide which
texts are frequent: those that were chosen because the reference holds them often would be rarer in all other rows,
which would look like drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

NUMBER_BINS = 20
HASH_BINS = 10
MAX_LABEL_CHARACTERS = 80

Numbers = npt.NDArray[Any]


@dataclass(frozen=True)
class NumberBins:
    """Intervals of numbers; the first and the last are open.

    Parameters
    ----------
    edges : (bins - 1,), ascending; an edge belongs to the bin below it
    """

    edges: Numbers

    def counts(self, values: Numbers) -> list[int]:
        """Count values (n,), which are sorted and not missing, by bin.

        >>> number_bins(np.array([0.0, 0.0, 0.0, 1.5, 7.0], dtype=np.float32)).counts(np.array([-1.0, 0.0, 9.0]))[:2]
        [1, 1]
        """
        up_to = np.searchsorted(values, self.edges.astype(values.dtype), side="right")
        counts: list[int] = np.diff(up_to, prepend=0, append=len(values)).tolist()
        return counts

    @property
    def labels(self) -> list[str]:
        """Names of the bins, for people.

        >>> number_bins(np.array([3.0, 3.0], dtype=np.float32)).labels
        ['below 3', '3', 'above 3']
        """
        if not len(self.edges):
            return ["all"]
        texts = _distinct_texts(self.edges)
        own = self.edges[1:] == np.nextafter(self.edges[:-1], self.edges.dtype.type(np.inf))
        before = [*own.tolist(), False]  # edges directly below a frequent value
        names = [f"below {texts[1]}" if before[0] else f"up to {texts[0]}"]
        for number in range(1, len(self.edges)):
            low = texts[number - 1]
            if own[number - 1]:
                names.append(texts[number])
            else:
                names.append(f"{low} to below {texts[number + 1]}" if before[number] else f"{low} to {texts[number]}")
        return [*names, f"above {texts[-1]}"]


def number_bins(values: Numbers) -> NumberBins:
    """Return the bins of a reference.

    Parameters
    ----------
    values : (n,), sorted, not missing, float32 or float64

    Examples
    --------
    >>> number_bins(np.arange(40, dtype=np.float32)).counts(np.arange(40, dtype=np.float32))[:3]
    [2, 2, 2]
    """
    rows = len(values)
    if not rows:
        return NumberBins(np.zeros(0, dtype=values.dtype))
    different, counts = np.unique(values + values.dtype.type(0), return_counts=True)  # -0.0 and 0.0 are one value
    is_frequent = counts * NUMBER_BINS > rows
    is_frequent |= len(different) == 1
    frequent = different[is_frequent]
    others = values[~np.isin(values, frequent)] if len(frequent) else values
    share = max(round(NUMBER_BINS * len(others) / rows), 1)
    positions = np.ceil(len(others) * np.arange(1, share) / share - 1).astype(np.int64)
    between = others[np.maximum(positions, 0)] if len(others) else others
    between = between[between < values[-1]]  # otherwise the last bin is empty
    below = np.nextafter(frequent, values.dtype.type(-np.inf))
    edges = np.unique(np.concatenate([between, frequent, below]) + values.dtype.type(0))
    return NumberBins(edges[np.isfinite(edges)])


def short(text: str) -> str:
    """Return a text for people, cut to MAX_LABEL_CHARACTERS.

    >>> short("a" * 100)[-5:], short("b")
    ('aa...', 'b')
    """
    return text if len(text) <= MAX_LABEL_CHARACTERS else f"{text[: MAX_LABEL_CHARACTERS - 3]}..."


def level_labels(levels: list[str], others: int = HASH_BINS) -> list[str]:
    """Return the names of the bins of texts: those of `levels`, then the others by their hash.

    >>> level_labels(["red"], 2), level_labels([], 1)
    (['red', 'others, part 1', 'others, part 2'], ['others'])
    """
    parts = ["others"] if others == 1 else [f"others, part {number + 1}" for number in range(others)]
    return [*map(short, levels), *parts]


def _distinct_texts(edges: Numbers) -> list[str]:
    """Return numbers as texts with as many digits as distinguish them; one directly below another one may equal it."""
    apart = edges[~np.append(edges[1:] == np.nextafter(edges[:-1], edges.dtype.type(np.inf)), False)]
    digits = next((count for count in (4, 6, 9) if len({f"{edge:.{count}g}" for edge in apart}) == len(apart)), 17)
    return [f"{float(str(edge)):.{digits}g}" for edge in edges]
