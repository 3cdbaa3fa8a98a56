"""The screens of `incidents` and `retrain`, and the governor's decisions on that of `show`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from cli.screens.lines import ago, clip, count, labelled, minute, more, person, table
from modelcycle.messages import Retrained
from modelcycle.registry import Incident, RetrainingDecision

# --json prints all
MAX_SHOWN_INCIDENTS = 20
MAX_SHOWN_DECISIONS = 5
MAX_SHOWN_DETAILS = 5
MAX_WHAT = 90  # characters

ASKED_BY = {
    "ModelDegraded": "monitoring", "ArrivalsFolded": "uploads", "LabelledRowsArrived": "outcomes",
    "TrainingCodeChanged": "new code", "RetrainingScheduled": "schedule", "RetrainingRequested": "person",
    "RetrainingResumed": "person",
}  # fmt: skip
ANSWERS = {
    "folded": "was not asked to run again",
    "refused": "is not trained now",
    "resumed": "is retrained again when something asks for it: the pause is over",
}


def incidents_text(incidents: Sequence[Incident], now: datetime | None = None) -> str:
    """Return the open incidents of all models."""
    if not incidents:
        return "No incident is open."
    rows = [
        [
            f"{incident.model}:{incident.version}", str(incident.number), ago(incident.opened_at, now),
            ago(incident.seen_at, now), _what(incident),
        ]
        for incident in incidents[:MAX_SHOWN_INCIDENTS]
    ]  # fmt: skip
    lines = [
        f"{count(len(incidents), 'incident')} open",
        "",
        table(["version", "no.", "opened", "last seen", ""], rows),
    ]
    return "\n".join([*lines, *more(len(incidents) - MAX_SHOWN_INCIDENTS)])


def model_incidents_text(
    model: str, incidents: Sequence[Incident], decisions: Sequence[RetrainingDecision], now: datetime | None = None
) -> str:
    """Return all incidents of a model, what is known of the open ones, and the governor's last decisions.

    Parameters
    ----------
    incidents, decisions : newest first
    """
    open_now = [incident for incident in incidents if incident.state == "open"]
    lines = [f"{model}: {count(len(open_now), 'incident')} open" if open_now else f"{model}: no incident is open"]
    for incident in open_now:
        lines += ["", f"  incident {incident.number} of version {incident.version}: {_what(incident)}"]
        since = (
            f"{minute(incident.opened_at)}, in {count(incident.windows, 'window')}, last {ago(incident.seen_at, now)}"
        )
        lines += [f"  {line}" for line in labelled([("since", since)], 12)]
        lines += [
            f"    {'':<12}{clip(' '.join(detail.split()), 100)}" for detail in incident.details[:MAX_SHOWN_DETAILS]
        ]
    closed = [incident for incident in incidents if incident.state == "closed"]
    if closed:
        rows = [
            [
                str(incident.number), str(incident.version), ago(incident.opened_at, now),
                ago(incident.closed_at or incident.seen_at, now), _what(incident), clip(incident.closed_why, 60),
            ]
            for incident in closed[:MAX_SHOWN_INCIDENTS]
        ]  # fmt: skip
        lines += ["", table(["no.", "version", "opened", "closed", "", "why closed"], rows)]
        lines += more(len(closed) - MAX_SHOWN_INCIDENTS)
    return "\n".join([*lines, *decisions_text(decisions, now)])


def decisions_text(decisions: Sequence[RetrainingDecision], now: datetime | None = None) -> list[str]:
    """Return the governor's last decisions; those alike that follow each other share a line.

    Parameters
    ----------
    decisions : newest first
    """
    if not decisions:
        return []
    alike = [list(group) for _, group in groupby(decisions, key=lambda one: (one.kind, one.decision, one.why, one.by))]
    rows = [
        [
            ago(group[0].at, now), person(group[0].by) or ASKED_BY[group[0].kind],
            group[0].decision + (f" ({len(group):,} times)" if len(group) > 1 else ""),
            clip(" ".join(group[0].why.split()), 100),
        ]
        for group in alike[:MAX_SHOWN_DECISIONS]
    ]  # fmt: skip
    head = ["retraining", "asked by", "decision", "why"]
    return ["", table(head, rows), *more(len(decisions) - sum(map(len, alike[:MAX_SHOWN_DECISIONS])))]


def retrained_text(model: str, answer: Retrained) -> str:
    """Return the governor's answer to a person, if it has started no run.

    >>> print(retrained_text("churn", Retrained(kind="RetrainingRequested", done="folded", why="run 7 is in progress")))
    churn was not asked to run again.
      why           run 7 is in progress
    """
    rows = [("why", answer.why)] if answer.done != "resumed" else []
    return "\n".join([f"{model} {ANSWERS[answer.done]}.", *labelled(rows, 14)])


def _what(incident: Incident) -> str:
    return clip(" ".join(incident.headline.split()), MAX_WHAT)
