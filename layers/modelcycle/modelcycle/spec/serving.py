"""The sections of the pipeline file about a version that is about to serve, or serves: staging, rollout, captures."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from modelcycle.spec.section import ColumnName, Section

MAX_LOAD_SECONDS = 720  # a function has 15 minutes

# what answers predictions imports this file, and uses one section at most
BUILT_LATER = ConfigDict(defer_build=True)


class Staging(Section):
    """The rehearsal through the serving code, and the load test in the serving function."""

    model_config = BUILT_LATER

    rows: int = Field(200, ge=1, le=10_000, description="test rows to replay")
    p99_ms: float = Field(50.0, gt=0, description="highest allowed 99th percentile of one row's latency, milliseconds")
    concurrency: list[int] = Field(
        [1, 4], description="how many requests at once, stage by stage; [] leaves the load test out"
    )
    load_seconds: float = Field(0.5, gt=0, le=60, description="time of each stage of the load test")
    soak_seconds: float = Field(0, ge=0, le=600, description="time under the highest concurrency, to find leaks")
    rows_per_second: float | None = Field(None, gt=0, description="lowest allowed throughput of single rows")
    memory_mb: int | None = Field(None, gt=0, description="highest allowed memory of the serving function")
    cold_start_ms: float | None = Field(None, gt=0, description="highest allowed time of a cold start")
    replay: int = Field(200, ge=0, le=5_000, description="captured requests that candidate and champion both answer")
    disagreement: float | None = Field(
        None, ge=0, le=1, description="highest allowed share of replayed rows that the two answer differently"
    )

    @model_validator(mode="after")
    def _concurrency_rises(self) -> Staging:
        steps = self.concurrency
        if sorted(set(steps)) != steps or any(not 1 <= step <= 32 for step in steps):
            raise ValueError("the concurrency must rise, from at least 1 to at most 32")
        if len(steps) * self.load_seconds + self.soak_seconds > MAX_LOAD_SECONDS:
            raise ValueError(f"the load test and the soak must take at most {MAX_LOAD_SECONDS} seconds together")
        if self.soak_seconds and not steps:
            raise ValueError("a soak needs a concurrency")
        return self

    @model_validator(mode="after")
    def _limits_are_measured(self) -> Staging:
        """A limit that nothing measures would let every version pass."""
        by_load = [name for name in ("rows_per_second", "memory_mb", "cold_start_ms") if getattr(self, name)]
        if by_load and not self.concurrency:
            raise ValueError(f"{by_load[0]} is measured by the load test, which needs a concurrency")
        if self.disagreement is not None and not self.replay:
            raise ValueError("disagreement is measured by the replay, which needs at least one request")
        return self


class Evidence(Section):
    """By how much the new version may be worse than the champion, on live requests, before its rollout rolls back.

    Each limit is held against a confidence sequence: it may be looked at after every request.
    """

    model_config = BUILT_LATER

    minimum_rows: int = Field(200, ge=20, description="answers of the new version before a step may follow")
    errors: float = Field(0.01, ge=0, le=1, description="more failed answers, as a share")
    slower: float = Field(1.5, ge=1, description="latency as a multiple of the champion's")
    slower_ms: float = Field(2.0, ge=0, description="a latency that is higher by less never counts, milliseconds")
    shift: float = Field(
        0.15,
        gt=0,
        le=1,
        description="distance of the predictions' distributions, from 0 to 1, beyond the one on test rows",
    )
    worse: float = Field(
        0.05, ge=0, le=1, description="share of its loss by which it may be worse, where outcomes are known"
    )
    false_alarms: float = Field(0.05, gt=0, lt=0.5, description="chance that an equal version is rolled back")
    patience_hours: float = Field(24, ge=0, description="how long a step waits for minimum_rows")
    unproven: Literal["proceed", "hold"] = Field(
        "proceed", description="what happens after patience_hours with too few answers; hold: a person promotes it"
    )


class Rollout(Section):
    """How traffic moves to a new version."""

    model_config = BUILT_LATER

    steps: list[int] = Field([100], min_length=1, description="percent of traffic, step by step; the last is 100")
    wait_minutes: int = Field(10, ge=0, le=1440, description="time between two steps")
    shadow: bool = Field(
        False, description="first answer every request beside the champion, for wait_minutes; nobody sees these answers"
    )
    watch_minutes: int = Field(
        0, ge=0, le=1440 * 7, description="time after the last step in which the rollout still rolls back by itself"
    )
    evidence: Evidence = Evidence()

    @model_validator(mode="after")
    def _rises_to_all(self) -> Rollout:
        if self.steps[-1] != 100 or sorted(set(self.steps)) != self.steps or self.steps[0] < 1:
            raise ValueError("the steps must rise from at least 1 to 100")
        return self


class Capture(Section):
    """Which live requests are kept for monitoring, rollouts and feedback, and what of them."""

    model_config = BUILT_LATER

    sample: float = Field(1.0, ge=0, le=1, description="share of requests that is captured")
    mask: list[ColumnName] = Field([], description="columns whose values are not captured, only whether they were sent")
