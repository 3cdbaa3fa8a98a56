"""Runs: who may train a model now, which upload is whose, what a run has done, and how it ended.

Three rules hold here. An upload is claimed once. A model has one lease: an arrival that finds it taken is folded into
the holder's run, which looks again at its end. A run whose execution died without a word loses both to the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel

from modelcycle.faults import Raced, Unknown
from modelcycle.messages import Outcome, Run
from modelcycle.registry.events import now
from modelcycle.registry.table import Record, Table, Write
from modelcycle.registry.unit import Unit

MAX_FOLDED = 500  # names kept on a lease (an item holds 400 KB); past it the holder always looks again


class RunRecord(BaseModel):
    run: Run
    state: Literal["running"] | Outcome = "running"
    reason: str = ""
    version: int | None = None
    ended_at: datetime | None = None


class Lease(BaseModel):
    run_id: str = ""
    execution: str = ""
    folded: dict[str, str] = {}


class Runs:
    """The runs of all models. `is_running` answers for an execution ARN whether it is under way."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def of_execution(self, execution: str) -> RunRecord | None:
        record = self.table.read(f"EXECUTION#{execution}", "RUN")
        return self.get(record.body["model"], record.body["run_id"]) if record else None

    def get(self, model: str, run_id: str) -> RunRecord | None:
        record = self.table.read(_pk(model), f"RUN#{run_id}")
        return RunRecord.model_validate(record.body) if record else None

    def since(self, model: str, moment: datetime) -> list[RunRecord]:
        """All runs that began at `moment` or later, newest first."""
        # run ids begin with the time, see `claim`
        first = f"RUN#{moment.astimezone(UTC):%Y%m%dT%H%M%S}"
        found = self.table.query(_pk(model), "RUN#", first=first, newest_first=True)
        records = [RunRecord.model_validate(record.body) for record in found]
        return [record for record in records if record.run.started_at >= moment]

    def latest(self, model: str, limit: int | None = None) -> list[RunRecord]:
        """Newest first."""
        found = self.table.query(_pk(model), "RUN#", newest_first=True, limit=limit)
        return [RunRecord.model_validate(record.body) for record in found]

    def claim(
        self, run: Run, upload: str | None, arrival: tuple[str, str] | None, is_running: Callable[[str], bool]
    ) -> tuple[Literal["claimed", "duplicate", "folded"], str]:
        """Take the upload and the model's lease for `run`, in one transaction.

        Returns
        -------
        outcome and the execution (duplicate) or run id (folded) that holds what was asked for.
        """
        for _ in range(10):
            unit = Unit(self.table, run.model)
            held = self._lease(run.model)
            lease = Lease.model_validate(held.body) if held else Lease()
            claim = self.table.read(_pk(run.model), f"UPLOAD#{upload}") if upload else None
            if claim and claim.body["execution"] != run.execution:
                owner = self.of_execution(claim.body["execution"])
                if claim.body["folded"] or (owner and owner.state != "running") or is_running(claim.body["execution"]):
                    return "duplicate", claim.body["execution"]
            if lease.execution == run.execution:
                return "claimed", run.run_id
            outcome: Literal["claimed", "folded"] = "claimed"
            if lease.execution and is_running(lease.execution):
                outcome = "folded"
                if arrival and len(lease.folded) < MAX_FOLDED:
                    lease.folded[arrival[0]] = arrival[1]
                elif arrival:
                    lease.folded["(more)"] = ""
                unit.put(self._leased(run.model, lease, held))
            else:
                self._bury(unit, lease)
                # what was folded into a run that died is inherited: the new holder looks again too
                unit.put(
                    self._leased(
                        run.model, Lease(run_id=run.run_id, execution=run.execution, folded=lease.folded), held
                    ),
                    Write(_pk(run.model), f"RUN#{run.run_id}", RunRecord(run=run).model_dump(mode="json")),
                    Write(f"EXECUTION#{run.execution}", "RUN", {"model": run.model, "run_id": run.run_id}),
                )
                unit.tell("RunStarted", run_id=run.run_id, trigger=run.trigger.model_dump())
            holder = lease.run_id if outcome == "folded" else run.run_id
            body = {"execution": run.execution, "run_id": holder, "folded": outcome == "folded"}
            if upload and (claim is None or claim.body != body):
                unit.put(Write(_pk(run.model), f"UPLOAD#{upload}", body, claim.revision if claim else 0))
            unit.put(*self._model(run.model))
            try:
                unit.commit()
            except Raced:
                continue
            return outcome, holder
        raise Raced("the model's lease changes hands too fast", run.model, "the step is tried again")

    def saw(self, run: Run, objects: Iterable[tuple[str, str]]) -> None:
        """The run has listed its sources: arrivals among them (key, etag) need no second look."""
        seen = set(objects)
        for _ in range(10):
            held = self._lease(run.model)
            lease = Lease.model_validate(held.body) if held else Lease()
            rest = {key: etag for key, etag in lease.folded.items() if (key, etag) not in seen}
            if lease.execution != run.execution or rest == lease.folded:
                return
            try:
                self.table.write(self._leased(run.model, lease.model_copy(update={"folded": rest}), held))
                return
            except Raced:
                continue
        raise Raced("the model's lease changes hands too fast", run.model, "the step is tried again")

    def conclude(self, run: Run, outcome: Outcome, reason: str, version: int | None = None) -> tuple[RunRecord, int]:
        """End a run and give its lease back; a run that has ended stays as it ended.

        Returns
        -------
        the record as it stands now, and how many folded arrivals start a new run
        """
        for _ in range(10):
            found = self.table.read(_pk(run.model), f"RUN#{run.run_id}")
            if found is None:
                raise Unknown(f"there is no run {run.run_id}", run.model, "see `modelcycle runs`")
            record = RunRecord.model_validate(found.body)
            held = self._lease(run.model)
            lease = Lease.model_validate(held.body) if held else Lease()
            mine = lease.execution == run.execution
            if record.state != "running" and not mine:
                return record, 0
            unit = Unit(self.table, run.model)
            if record.state == "running":
                record = self._end(unit, found, outcome, reason[:2000], version)
            if mine:
                unit.put(self._leased(run.model, Lease(), held))
                if lease.folded:
                    unit.tell("ArrivalsFolded", run_id=run.run_id, arrivals=len(lease.folded))
            try:
                unit.commit()
            except Raced:
                continue
            return record, len(lease.folded) if mine else 0
        raise Raced("the run's end is written by others too", run.run_id, "the step is tried again")

    def result(self, model: str, step: str, fingerprint: str) -> dict[str, Any] | None:
        """What the step answered to the same inputs, code and parameters before."""
        record = self.table.read(_pk(model), f"STEP#{step}#{fingerprint}")
        return record.body if record else None

    def keep_result(
        self, model: str, step: str, fingerprint: str, result: dict[str, Any], instead_of: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Record a step's answer; the first writer's stands and is returned.

        Parameters
        ----------
        instead_of : the recorded answer that this one replaces, as its artifacts are gone
        """
        revision = 0
        if instead_of is not None:
            record = self.table.read(_pk(model), f"STEP#{step}#{fingerprint}")
            if record and (record.body == result or record.body != instead_of):  # made at the same place, or raced
                return record.body
            revision = record.revision if record else 0
        try:
            self.table.write(Write(_pk(model), f"STEP#{step}#{fingerprint}", result, revision))
        except Raced:
            return self.result(model, step, fingerprint) or result
        return result

    def _lease(self, model: str) -> Record | None:
        return self.table.read(_pk(model), "LEASE")

    def _leased(self, model: str, lease: Lease, held: Record | None) -> Write:
        return Write(_pk(model), "LEASE", lease.model_dump(), held.revision if held else 0)

    def _bury(self, unit: Unit, lease: Lease) -> None:
        """The end of a holder whose execution died without a word, as when the local cloud was killed."""
        found = self.table.read(_pk(unit.model), f"RUN#{lease.run_id}") if lease.run_id else None
        if found is not None and found.body["state"] == "running":
            self._end(unit, found, "failed", "its execution ended without a word")

    def _end(self, unit: Unit, found: Record, outcome: Outcome, reason: str, version: int | None = None) -> RunRecord:
        """Put the end of a run into a unit: its record, and the event that tells it."""
        record = RunRecord.model_validate(found.body).model_copy(
            update={"state": outcome, "reason": reason, "version": version, "ended_at": now()}
        )
        unit.put(Write(found.pk, found.sk, record.model_dump(mode="json"), found.revision))
        unit.tell("RunEnded", run_id=record.run.run_id, outcome=outcome, version=version)
        return record

    def _model(self, model: str) -> list[Write]:
        """The model's line in the list of models, written at its first run."""
        if self.has_model(model):
            return []
        return [Write("MODELS", model, {"model": model, "since": datetime.now(UTC).isoformat()})]

    def has_model(self, model: str) -> bool:
        """Whether a run of this model was ever started."""
        return self.table.read("MODELS", model) is not None

    def models(self) -> list[str]:
        return [record.sk for record in self.table.query("MODELS")]


def _pk(model: str) -> str:
    return f"MODEL#{model}"
