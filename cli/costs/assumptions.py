"""What an estimate assumes about the use of a model; each is an option of `modelcycle cost`."""

from __future__ import annotations

from dataclasses import dataclass, field

from cli.costs.stack_facts import HOURS_A_MONTH, MINUTES
from cli.schedules import interval
from modelcycle.spec import Pipeline

WEEKLY = HOURS_A_MONTH / (24 * 7)


@dataclass(frozen=True)
class Assumptions:
    """The use of one model in a month.

    Parameters
    ----------
    runs : lifecycle runs
    runs_from : what `runs` rests on, for people
    predictions : requests a second in production
    rows : rows of a request
    batch_rows : rows of batch scoring in production
    records : rows a second that arrive on the stream or queue, where the stack has one
    share : what dev and staging get of the predictions, batch rows and records
    months : how long runs have gone on, for what is kept of each
    capture_days : how long captures are kept; None: as the template says
    settings : values of template parameters
    """

    runs: float = WEEKLY
    runs_from: str = "weekly"
    predictions: float = 0.1
    rows: int = 1
    batch_rows: float = 0
    records: float = 0
    share: float = 0.1
    months: float = 12
    capture_days: int | None = None
    settings: dict[str, str] = field(default_factory=dict)


def runs_a_month(pipeline: Pipeline) -> tuple[float, str]:
    """Return how many runs the pipeline's schedule starts in a month, and what that rests on.

    >>> source = {"type": "sql", "secret": "s", "table": "t", "every": "1 day"}
    >>> runs, source_of = runs_a_month(Pipeline(name="m", target="y", source=source))
    >>> round(runs, 1), source_of
    (30.4, 'source.every: 1 day')
    >>> runs_a_month(Pipeline(name="m", target="y"))[1]
    'weekly: the pipeline file has no source.every'
    """
    every = interval(pipeline)
    if every is None:
        return WEEKLY, "weekly: the pipeline file has no source.every"
    number, unit = every.split()
    return HOURS_A_MONTH * 60 / (int(number) * MINUTES[unit.rstrip("s")]), f"source.every: {every}"
