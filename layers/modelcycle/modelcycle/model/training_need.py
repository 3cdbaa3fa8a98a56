"""What training takes, from the size of the table: training holds it in memory."""

from __future__ import annotations

from collections.abc import Iterable

from modelcycle.faults import BadData
from modelcycle.messages import EngineeredFeatures, Preprocessed
from modelcycle.workplace import Need, Where, Workplace

MEGABYTES = 200  # of Python and its libraries
BYTES_PER_VALUE = {"hist_gradient_boosting": 50, "random_forest": 65, "extra_trees": 65, "linear": 125}
"""Of the largest resident set, for each value of a table; a quarter of its columns are categories of forty levels.

Measured by `bench/training_memory.py`: 47, 60, 60 and 121, the same up to 0.9 million rows.
A linear model has a column for each level.
"""


def training_megabytes(rows: int, columns: int, algorithm: str) -> float:
    """Return the memory in which a model is fitted, in MB (2**20 bytes).

    Parameters
    ----------
    rows : kept ones
    columns : of the table, without the target
    algorithm : a key of BYTES_PER_VALUE

    Examples
    --------
    >>> round(training_megabytes(24_000, 14, "linear")), round(training_megabytes(10_000_000, 20, "linear"))
    (240, 24042)
    """
    return MEGABYTES + BYTES_PER_VALUE[algorithm] * rows * columns / 2**20


SCORING_BYTES_PER_VALUE = 4
"""Of test and validation rows, each an eighth of the table: as columns, and as inputs of the graph."""


def scoring_need(rows: int, columns: int) -> Need:
    """Return what scoring the test and validation rows takes.

    Parameters
    ----------
    rows : kept ones
    columns : of the table, without the target
    """
    megabytes = MEGABYTES + SCORING_BYTES_PER_VALUE * rows * columns / 2**20
    return Need(f"the test rows of {rows:,} rows of {columns:,} columns", megabytes)


REHEARSAL_BYTES_PER_VALUE = 2
"""Of test rows, an eighth of the table: as columns and as their file."""


def check_rehearsal(rows: int, columns: int, workplace: Workplace) -> None:
    """Check that the function of `stage` can read the test rows: it calls a function, so no container does it.

    Parameters
    ----------
    rows : kept ones
    columns : of the table, without the target
    workplace : a function that has as much memory as that of `stage`

    Raises
    ------
    BadData : a model that a container has scored could not be rehearsed
    """
    if workplace.is_container or not workplace.hands_over or workplace.megabytes is None:
        return
    megabytes = MEGABYTES + REHEARSAL_BYTES_PER_VALUE * rows * columns / 2**20
    if megabytes > workplace.megabytes:
        raise BadData(
            f"the test rows of {rows:,} rows of {columns:,} columns need about {megabytes:,.0f} MB of memory in stage,"
            f" which no container does; its function has {workplace.megabytes:,}", "stage",
            "raise ScoringMemory, a parameter of the stack, and run again: finished steps are reused; or keep fewer"
            " rows or columns",
        )  # fmt: skip


def training_need(
    preprocessed: Preprocessed, features: EngineeredFeatures, where: Where, algorithms: Iterable[str]
) -> Need:
    """Return what a trial, the model or its refit takes.

    Parameters
    ----------
    where : `training.where` of the pipeline file
    algorithms : that are fitted, one after the other
    """
    rows, columns = preprocessed.kept, features.columns
    expected = max(training_megabytes(rows, columns, name) for name in algorithms)
    least = min(training_megabytes(rows, columns, name) for name in BYTES_PER_VALUE)
    return Need(f"{rows:,} rows of {columns:,} columns", expected, least, where=where)
