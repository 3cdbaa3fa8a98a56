"""What a load test measures: times, throughput, memory and cold starts, level by level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from modelcycle.stage.memory_growth import Growth


@dataclass(frozen=True)
class Times:
    """Quantiles of times, milliseconds."""

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> Times | None:
        """Return the quantiles; None without times."""
        if not milliseconds:
            return None
        return cls(*(round(float(value), 3) for value in np.quantile(np.asarray(milliseconds), (0.5, 0.95, 0.99))))


@dataclass
class Level:
    """What was measured at one concurrency.

    The first call of each environment is left out of the times: it loads the version.

    Parameters
    ----------
    seconds : from the first request to the last answer
    own_ms : time in the handler, as the environment told it
    round_trip_ms : until the caller had the answer
    errors : answers of the function other than a prediction, by status or class name
    refused : calls that Lambda did not answer, by reason
    """

    concurrency: int
    seconds: float = 0.0
    answered: int = 0
    own_ms: Times | None = None
    round_trip_ms: Times | None = None
    errors: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    environments: int = 0

    def or_faster(self, again: Level) -> Level:
        """Return the level with the lower p99 of two at the same concurrency; its errors are those of both."""
        both = [self, again]
        faster = min(both, key=lambda one: one.own_ms.p99 if one.own_ms else float("inf"))
        errors, refused = (
            sum((Counter(getattr(one, kind)) for one in both), Counter()) for kind in ("errors", "refused")
        )
        return replace(faster, errors=dict(errors), refused=dict(refused))

    @property
    def rows_per_second(self) -> float:
        return self.answered / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class ColdStart:
    """The start of an environment: until its code was imported, and its first call, which loads the version."""

    init_ms: float
    first_ms: float

    @property
    def ms(self) -> float:
        return self.init_ms + self.first_ms


@dataclass
class LoadTest:
    """What the load test measured.

    Parameters
    ----------
    source : whether Lambda's log or the function itself told memory and cold starts; empty if nothing answered
    differences : rows that the function answers differently from the batch, of `compared`
    growth : of the environment whose memory grew most in the soak
    repeated : that the lowest concurrency was measured again, since its first p99 was above the limit
    """

    levels: list[Level] = field(default_factory=list)
    soak: Level | None = None
    cold_starts: list[ColdStart] = field(default_factory=list)
    memory_mb: float = 0.0
    source: str = ""
    compared: int = 0
    differences: int = 0
    growth: Growth | None = None
    repeated: bool = False

    @property
    def all_levels(self) -> list[Level]:
        return [*self.levels, *([self.soak] if self.soak else [])]

    @property
    def rows_per_second(self) -> float:
        """The highest throughput of all levels."""
        return max((level.rows_per_second for level in self.all_levels), default=0.0)

    @property
    def own_p99_ms(self) -> float | None:
        """The p99 at the lowest concurrency.

        Lambda gives an environment one request at a time. At a higher concurrency, the same version is only slower
        where environments share processors, as in the local cloud.
        """
        own = self.levels[0].own_ms if self.levels else None
        return own.p99 if own else None

    @property
    def cold_start_ms(self) -> float | None:
        """The first cold start, which ran alone; None if all environments were warm."""
        return self.cold_starts[0].ms if self.cold_starts else None

    def count(self, kind: str) -> Counter[str]:
        """Return the errors or the refused calls of all levels."""
        return sum((Counter(getattr(level, kind)) for level in self.all_levels), Counter())
