"""The governor: whether a request for a run starts one now, and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from modelcycle.messages import RetrainKind
from modelcycle.registry import Incident, StartedRun
from modelcycle.registry.incident_kinds import named
from modelcycle.spec import Retraining

WEEK = timedelta(days=7)
MAX_COOLDOWN_HOURS = 10 * 365 * 24.0  # no run is older, so a longer cooldown has the same effect

REASONS: dict[RetrainKind, str] = {
    "ModelDegraded": "the model is degraded",
    "ArrivalsFolded": "files arrived during a run that did not read them",
    "LabelledRowsArrived": "enough new rows of live traffic have outcomes",
    "TrainingCodeChanged": "the code that trains has changed",
    "RetrainingScheduled": "it is time (retraining.every)",
    "RetrainingRequested": "a person asked for it",
    "RetrainingResumed": "a person ended the pause",
}
BY_HAND: frozenset[RetrainKind] = frozenset({"RetrainingRequested"})
ASKED: frozenset[RetrainKind] = BY_HAND | {"RetrainingScheduled"}
"""Kinds that somebody asked for, in the pipeline file or by hand: neither cooldown nor the week's budget holds them."""


class Facts(NamedTuple):
    """What a decision is made from.

    Parameters
    ----------
    in_progress : what is under way, as a clause: a run, or the rollout of a version; None if nothing is
    waiting : the newest version, if it waits for a person's approval
    broken : the open incident about wrong values; None if there is none
    starts : the runs that the governor has started, the newest last
    refused : how many challengers in a row were refused
    """

    in_progress: str | None
    waiting: int | None
    broken: Incident | None
    starts: Sequence[StartedRun]
    refused: int


class Answer(NamedTuple):
    """The answer to a request; `pauses` if refusals are why."""

    decision: Literal["started", "folded", "refused"]
    why: str
    pauses: bool = False


def govern(model: str, kind: RetrainKind, reason: str, facts: Facts, limits: Retraining, now: datetime) -> Answer:
    """Decide about a request.

    In this order: is it switched on, do wrong values forbid it, is a run or rollout under way, does a version wait for
    approval, is there a pause, a cooldown, a budget left. A person's request is held by the first three alone.

    Parameters
    ----------
    reason : of the request, as a clause; empty if it has none
    now : the time of the decision
    """
    off = _switched_off(kind, limits)
    if off:
        return Answer("refused", off)
    why = f"{REASONS[kind]}: {reason}" if reason else REASONS[kind]
    if kind == "ArrivalsFolded":  # a run that was promised to an upload
        return Answer("started", why)
    if facts.broken is not None:
        columns = named(facts.broken.subjects)
        return Answer(
            "refused",
            f"live values are wrong ({columns}), incident {facts.broken.number}: a model would learn them. "
            f"Correct what sends them; `modelcycle incidents {model}` names the columns",
        )
    if facts.in_progress is not None:
        return Answer("folded", f"{facts.in_progress}; another run would compete with it")
    if kind in BY_HAND:
        return Answer("started", why)
    if facts.waiting is not None:
        version = f"{model}:{facts.waiting}"
        return Answer(
            "refused", f"version {facts.waiting} waits for a person: `modelcycle approve {version}` or reject"
        )
    if facts.refused >= limits.pause_after:
        return Answer(
            "refused",
            f"paused: {facts.refused} challengers in a row were no better (retraining.pause_after); "
            f"`modelcycle retrain {model} --resume` ends the pause",
            pauses=True,
        )
    return Answer("started", why) if kind in ASKED else _by_time(facts.starts, why, limits, now)


def is_asked_for(kind: RetrainKind) -> bool:
    """Return whether a person or the pipeline file asks for a run of this kind."""
    return kind in ASKED


def _switched_off(kind: RetrainKind, limits: Retraining) -> str | None:
    """Return the key of the pipeline file that switches a kind of request off, as a clause."""
    if kind == "ModelDegraded" and not limits.on_degraded:
        return "retraining.on_degraded is false"
    if kind == "TrainingCodeChanged" and not limits.on_code:
        return "retraining.on_code is false"
    if kind == "LabelledRowsArrived" and limits.new_rows is None:
        return "the pipeline file has no retraining.new_rows"
    if kind == "RetrainingScheduled" and limits.every is None:
        return "the pipeline file has no retraining.every"
    return None


def _by_time(starts: Sequence[StartedRun], why: str, limits: Retraining, now: datetime) -> Answer:
    # a start in the future was written by a clock that was wrong; it must not hold the model for years
    past = [start for start in starts if start.at <= now]
    cooldown = timedelta(hours=min(limits.cooldown_hours, MAX_COOLDOWN_HOURS))
    if past and now - past[-1].at < cooldown:
        until = past[-1].at + cooldown
        return Answer(
            "refused",
            f"cooling down until {until:%Y-%m-%d %H:%M} UTC (retraining.cooldown_hours): the last run was started at "
            f"{past[-1].at:%Y-%m-%d %H:%M} UTC",
        )
    week = [start for start in past if not start.asked and now - start.at < WEEK]
    if len(week) >= limits.per_week:
        until = week[-limits.per_week].at + WEEK
        return Answer(
            "refused",
            f"{len(week)} runs were started in seven days (retraining.per_week); the next may start after "
            f"{until:%Y-%m-%d %H:%M} UTC",
        )
    return Answer("started", why)
