"""Where a rollout stands: which phases its pipeline file asks for, and how long each has lasted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from modelcycle.registry import Move, champion
from modelcycle.spec import Evidence, Rollout

FIRST_LOOK_SECONDS = 30  # captures take a minute on AWS; a version that fails at once should not serve for ten
MIN_PAUSE_SECONDS = 10
GROWTH = 0.15  # of the pause between two looks, as a share of the time so far: each look then sees new answers
# an execution has at most 25,000 events (AWS page "Step Functions service quotas"), and a look takes nine
COARSE_GROWTH = 0.6
MAX_FINE_PHASES = 20


@dataclass(frozen=True)
class Phase:
    """One phase of a rollout: from a move of the route to the decision about the next one.

    Parameters
    ----------
    name : for people
    champion : the version that the challenger is compared with
    elapsed : since the move
    wait : least time
    watch : whether the version has all the traffic
    """

    name: str
    champion: int
    elapsed: timedelta
    wait: timedelta
    limits: Evidence
    phases: int
    shadow: bool = False
    watch: bool = False

    @property
    def alpha(self) -> float:
        """The chance of a false alarm in this phase, of all kinds together."""
        return self.limits.false_alarms / self.phases

    @property
    def patience(self) -> timedelta:
        return max(self.wait, timedelta(hours=self.limits.patience_hours))

    def pause(self) -> int:
        """Return the seconds to the next look: a share of the time so far, but not past the next deadline."""
        elapsed = self.elapsed.total_seconds()
        growth = GROWTH if self.phases <= MAX_FINE_PHASES else COARSE_GROWTH
        seconds = max(MIN_PAUSE_SECONDS, elapsed * growth)
        deadlines = [limit.total_seconds() - elapsed for limit in (self.wait, self.patience)]
        return round(min([seconds, *(left + 1 for left in deadlines if left > 0)]))


def is_judged(rollout: Rollout, move: Move, version: int) -> bool:
    """Return whether the rollout is judged after this move: something follows, and there is a champion."""
    if compared_with(move, version) is None:
        return False
    return move.after.get(version, 0) < 100 or rollout.watch_minutes > 0


def compared_with(move: Move, version: int) -> int | None:
    """Return the version that had most of the traffic before or beside the challenger; None if there was none."""
    others = {number: weight for number, weight in move.after.items() if number != version}
    before = {number: weight for number, weight in move.before.items() if number != version}
    return champion(others or before)


def phase_of(rollout: Rollout, move: Move, version: int, now: datetime) -> Phase | None:
    """Return the phase that a move began; None if there is nothing to compare with."""
    other = compared_with(move, version)
    if other is None:
        return None
    weight = move.after.get(version, 0)
    shadow, watch = move.kind == "shadowed", weight == 100
    minutes = rollout.watch_minutes if watch else rollout.wait_minutes
    return Phase(
        name="as a shadow" if shadow else f"with {weight} % of the traffic",
        champion=other, elapsed=max(now - move.at, timedelta()), wait=timedelta(minutes=minutes),
        limits=rollout.evidence, phases=judged_phases(rollout), shadow=shadow, watch=watch,
    )  # fmt: skip


def judged_phases(rollout: Rollout) -> int:
    """Return how many phases of a rollout are judged, at least one.

    >>> judged_phases(Rollout(steps=[10, 50, 100], shadow=True))
    3
    """
    return max(1, len(rollout.steps) - 1 + rollout.shadow + (rollout.watch_minutes > 0))


def first_look(rollout: Rollout, watch: bool) -> int:
    """Return the seconds from a move to the first judgement."""
    return min((rollout.watch_minutes if watch else rollout.wait_minutes) * 60, FIRST_LOOK_SECONDS)
