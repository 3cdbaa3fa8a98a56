"""Runs: what started each one, its state, and how it ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from modelcycle.messages import Outcome, Run
from modelcycle.registry import keys
from modelcycle.registry.audit import Entry
from modelcycle.registry.table import Record, Table, Write
from modelcycle.registry.unit_of_work import UnitOfWork

MAX_REASON = 2000  # characters of a reason on record


class RunRecord(BaseModel):
    """A run and its state; `version` is the one that it registered or found, if any."""

    model_config = ConfigDict(defer_build=True)

    run: Run
    state: Literal["running"] | Outcome = "running"
    reason: str = ""
    version: int | None = None
    ended_at: datetime | None = None


class Runs:
    """The runs of all models."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def get(self, model: str, run_id: str) -> RunRecord | None:
        """Return a run; None if there is none of that id."""
        record = self.read(model, run_id)
        return RunRecord.model_validate(record.body) if record else None

    def read(self, model: str, run_id: str) -> Record | None:
        """Return the table's record of a run, for a writer."""
        return self.table.get(*keys.run(model, run_id))

    def of_execution(self, execution: str) -> RunRecord | None:
        """Return the run of an execution (ARN); None if it has none."""
        record = self.table.get(*keys.execution(execution))
        return self.get(record.body["model"], record.body["run_id"]) if record else None

    def since(self, model: str, moment: datetime) -> list[RunRecord]:
        """Return all runs that began at `moment` or later, newest first."""
        start = keys.run(model, f"{moment.astimezone(UTC):%Y%m%dT%H%M%S}").sk  # run ids begin with their time
        records = self.table.query(*keys.runs(model), start=start, newest_first=True)
        runs = [RunRecord.model_validate(record.body) for record in records]
        return [run for run in runs if run.run.started_at >= moment]

    def latest(self, model: str, limit: int | None = None) -> list[RunRecord]:
        """Return the runs of a model, newest first."""
        records = self.table.query(*keys.runs(model), newest_first=True, limit=limit)
        return [RunRecord.model_validate(record.body) for record in records]

    def models(self) -> list[str]:
        """Return the names of all models that have a run."""
        return [record.sk for record in self.table.query(*keys.model_entries())]

    def has_model(self, model: str) -> bool:
        """Return whether a run of this model was ever started."""
        return self.table.get(*keys.model_entry(model)) is not None

    def put_start(self, unit: UnitOfWork, run: Run) -> None:
        """Add the start of a run to a unit of work: its record, its execution, the event, and the audit entry."""
        unit.put(
            Write(*keys.run(run.model, run.run_id), RunRecord(run=run).model_dump(mode="json")),
            Write(*keys.execution(run.execution), {"model": run.model, "run_id": run.run_id}),
        )
        unit.announce("RunStarted", run_id=run.run_id, trigger=run.trigger.model_dump())
        unit.audit(
            keys.decision_in_run(run.run_id, "started"),
            Entry(
                at=run.started_at, subject=f"run {run.run_id}", decision="run started", by=run.trigger.kind,
                why=run.trigger.detail, evidence={"execution": run.execution, "pipeline": run.pipeline.model_dump()},
            ),
        )  # fmt: skip

    def put_model(self, unit: UnitOfWork) -> None:
        """Add the model's entry in the list of models to a unit of work, unless it has one."""
        if not self.has_model(unit.model):
            entry = {"model": unit.model, "since": datetime.now(UTC).isoformat()}
            unit.put(Write(*keys.model_entry(unit.model), entry))

    def put_end(
        self, unit: UnitOfWork, record: Record, outcome: Outcome, reason: str, version: int | None = None
    ) -> RunRecord:
        """Add the end of a run to a unit of work: its record, which is returned, the event, and the audit entry.

        Parameters
        ----------
        record : the run as `read` returned it
        """
        ended = RunRecord.model_validate(record.body).model_copy(
            update={
                "state": outcome, "reason": reason[:MAX_REASON], "version": version, "ended_at": datetime.now(UTC),
            }
        )  # fmt: skip
        unit.put(Write(*record.key, ended.model_dump(mode="json"), record.revision))
        unit.announce("RunEnded", run_id=ended.run.run_id, outcome=outcome, version=version)
        subject = f"run {ended.run.run_id}"
        unit.audit(
            keys.decision_in_run(ended.run.run_id, "ended"),
            Entry(
                subject=subject, decision=f"run {outcome}", by=subject, why=ended.reason, evidence={"version": version}
            ),
        )  # fmt: skip
        return ended
