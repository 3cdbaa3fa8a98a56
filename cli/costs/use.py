"""What one environment does in a month: the quantities that several lines of an estimate share."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cli.costs.assumptions import Assumptions
from cli.costs.measured import Figures
from cli.costs.stack_facts import HOURS_A_MONTH, StackFacts
from modelcycle.spec import Pipeline

LOOK_FUNCTIONS = 3  # compact, summarize, monitor

SECONDS_A_MONTH = HOURS_A_MONTH * 3600
DAYS_A_MONTH = HOURS_A_MONTH / 24


@dataclass(frozen=True)
class Use:
    """What one environment does in a month.

    Parameters
    ----------
    share : of the requests, rows and records of production
    """

    pipeline: Pipeline
    assumed: Assumptions
    figures: Figures
    facts: StackFacts
    share: float

    @property
    def runs(self) -> float:
        return self.assumed.runs

    @property
    def requests(self) -> float:
        return self.assumed.predictions * self.share * SECONDS_A_MONTH

    @property
    def captured_rows(self) -> float:
        return self.requests * self.assumed.rows * self.pipeline.capture.sample

    @property
    def hours_with_traffic(self) -> float:
        return min(HOURS_A_MONTH, self.requests)

    @property
    def batch_millions(self) -> float:
        return self.assumed.batch_rows * self.share / 1e6

    @property
    def looks(self) -> float:
        return self.facts.looks if self.facts.looks is not None else HOURS_A_MONTH

    @property
    def records(self) -> float:
        return self.assumed.records * self.share * SECONDS_A_MONTH

    @property
    def judged(self) -> float:
        """Looks at rollouts; none with one step and no watch."""
        rollout = self.pipeline.rollout
        waits = len(rollout.steps) - 1 + (1 if rollout.shadow else 0)
        days = (waits * rollout.wait_minutes + rollout.watch_minutes) / 1440
        return self.runs * (math.ceil(days * self.figures["judge_looks_a_day"]) if days else 0)

    @property
    def predict_seconds(self) -> float:
        """Billed seconds of a request: whole milliseconds."""
        rows, figures = self.assumed.rows, self.figures
        sent = figures["capture_ms"] * rows * self.pipeline.capture.sample
        return math.ceil(figures["predict_ms"] + figures["row_ms"] * (rows - 1) + sent) / 1000

    @property
    def capture_objects(self) -> float:
        """One for each interval of the buffer in which a row arrives."""
        return min(self.captured_rows, SECONDS_A_MONTH / self.facts.buffer_seconds)

    @property
    def look_calls(self) -> float:
        return self.looks * LOOK_FUNCTIONS

    @property
    def calls(self) -> float:
        """Function calls of all kinds, each with its logs."""
        return self.runs * self.figures["run_calls"] + self.requests + self.look_calls + self.judged

    def gigabytes(self, function: str) -> float:
        """Return the memory of a function; a template of another shape may lack it."""
        return self.facts.memory.get(function, 0) / 1024
