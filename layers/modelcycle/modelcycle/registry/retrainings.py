"""Retraining: what was asked for, what the governor decided and why, and the runs that it started.

A decision is written in the transaction that claims the start of its run, and once: a request that comes again finds
it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.faults import Raced
from modelcycle.messages import RetrainKind
from modelcycle.registry import keys
from modelcycle.registry.audit import Entry
from modelcycle.registry.events import EventKind
from modelcycle.registry.table import Table, Write
from modelcycle.registry.unit_of_work import UnitOfWork

MAX_STARTS = 100  # runs that the governor remembers; as many as `retraining.per_week` may be
DECISIONS_KEPT = timedelta(days=400)


class StartedRun(BaseModel):
    """A run that the governor has started.

    Parameters
    ----------
    execution : ARN
    asked : a person or the schedule of the pipeline file asked for it; it takes nothing from the week's budget
    """

    at: datetime
    kind: RetrainKind
    execution: str
    asked: bool = False


class Governor(BaseModel):
    """What the governor of a model remembers.

    Parameters
    ----------
    starts : the newest last, at most MAX_STARTS
    resumed_at : when a person ended the last pause; refusals before it do not count
    paused_at : when the pause of now was announced
    revision : of the record that this was read from
    """

    model_config = ConfigDict(defer_build=True)

    starts: list[StartedRun] = []
    resumed_at: datetime | None = None
    paused_at: datetime | None = None
    revision: int = Field(0, exclude=True)


class RetrainingDecision(BaseModel):
    """Whether a request starts a run, and why.

    Parameters
    ----------
    kind : of the event that asks
    why : a sentence
    execution : ARN of the run's execution, if one is started
    message : what the run is told, if one is started: the event that its execution gets
    """

    model_config = ConfigDict(defer_build=True)

    request_id: str
    kind: RetrainKind
    at: datetime
    decision: Literal["started", "folded", "refused", "resumed"]
    why: str
    by: str = ""
    execution: str = ""
    message: dict[str, Any] = {}


class Retrainings:
    """The requests for runs of all models, and what was decided."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def governor(self, model: str) -> Governor:
        """Return what the governor of a model remembers, for a writer."""
        record = self.table.get(*keys.governor(model))
        if record is None:
            return Governor()
        return Governor.model_validate(record.body).model_copy(update={"revision": record.revision})

    def answer(self, model: str, request_id: str) -> RetrainingDecision | None:
        """Return what was decided about a request; None if it is new."""
        record = self.table.get(*keys.retraining_request(model, request_id))
        return RetrainingDecision.model_validate(record.body) if record else None

    def put(self, model: str, decision: RetrainingDecision, governor: Governor | None, **pause: Any) -> None:
        """Write a decision, and what the governor remembers after it, together.

        Parameters
        ----------
        governor : as `governor` returned it, changed; None if it is as it was
        pause : details of RetrainingPaused, if this decision is the first of a pause

        Raises
        ------
        Raced : the request was decided, or the governor has changed
        """
        unit = UnitOfWork(self.table, model)
        body, expires = decision.model_dump(mode="json"), int((decision.at + DECISIONS_KEPT).timestamp())
        unit.put(
            Write(*keys.retraining_request(model, decision.request_id), body, expires=expires),
            Write(*keys.retraining_decision(model, decision.at, decision.request_id), body, expires=expires),
        )
        if governor is not None:
            kept = governor.model_copy(update={"starts": governor.starts[-MAX_STARTS:]})
            unit.put(Write(*keys.governor(model), kept.model_dump(mode="json"), governor.revision))
        if pause:
            unit.announce("RetrainingPaused", **pause)
        unit.audit(
            keys.decision_on_request(decision.request_id),
            Entry(
                at=decision.at, subject=f"request {decision.request_id}", decision=f"retraining {decision.decision}",
                by=decision.by or "governor", why=decision.why,
                evidence={"kind": decision.kind, "execution": decision.execution, "pauses": bool(pause)},
            ),
        )  # fmt: skip
        unit.commit()

    def latest(self, model: str, limit: int | None = None) -> list[RetrainingDecision]:
        """Return the decisions about a model, newest first."""
        records = self.table.query(*keys.retraining_decisions(model), newest_first=True, limit=limit)
        return [RetrainingDecision.model_validate(record.body) for record in records]

    def wanted_at(self, model: str, kind: EventKind, occasion: str) -> datetime | None:
        """Return when a run was asked for on an occasion; None if it was not."""
        record = self.table.get(*keys.wanted_run(model, kind, occasion))
        return datetime.fromisoformat(record.body["at"]) if record else None

    def want(self, model: str, kind: EventKind, occasion: str, **detail: Any) -> bool:
        """Ask for a run, once for each occasion: the event reaches the governor by the bus.

        Parameters
        ----------
        kind : LabelledRowsArrived or TrainingCodeChanged
        occasion : what is asked for once, such as a version and a day
        detail : of the event; `reason` is a clause for people

        Returns
        -------
        False if it was asked for before
        """
        unit = UnitOfWork(self.table, model)
        expires = int((datetime.now(UTC) + DECISIONS_KEPT).timestamp())
        body = detail | {"at": datetime.now(UTC).isoformat()}
        unit.put(Write(*keys.wanted_run(model, kind, occasion), body, expires=expires))
        unit.announce(kind, **detail)
        try:
            unit.commit()
        except Raced:
            return False
        return True
