"""Who may train a model now, and which run reads an upload.

There are three rules. An upload is claimed once. A model has one lease: an arrival that finds it taken is folded into
the run that has it, and if that run does not read the arrival, another run follows. A run whose execution died loses
its lease and its upload to the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from modelcycle.faults import Unknown
from modelcycle.messages import Outcome, Run
from modelcycle.registry import keys
from modelcycle.registry.runs import RunRecord, Runs
from modelcycle.registry.table import Record, Table, Write, retry_when_raced, revision_of
from modelcycle.registry.unit_of_work import UnitOfWork

MAX_FOLDED = 500  # arrivals named in a lease (an item has at most 400 KB); with more, another run always follows
MORE_ARRIVALS = "(more)"  # in a lease: the arrivals beyond MAX_FOLDED


class Lease(BaseModel):
    """The run that may train a model; no `execution` means none. `folded` are arrivals: object key and ETag."""

    model_config = ConfigDict(defer_build=True)

    run_id: str = ""
    execution: str = ""
    folded: dict[str, str] = {}

    def fold(self, arrival: tuple[str, str] | None) -> Lease:
        """Return the lease with one more arrival."""
        if arrival is None:
            return self
        key, etag = arrival if len(self.folded) < MAX_FOLDED else (MORE_ARRIVALS, "")
        return self.model_copy(update={"folded": self.folded | {key: etag}})


class Upload(BaseModel):
    """The claim of an upload: the execution that it started, and the run that reads it."""

    model_config = ConfigDict(defer_build=True)

    execution: str
    run_id: str = ""
    folded: bool = False


class Claim(NamedTuple):
    """The result of a claim.

    `holder` is the id of the run that has the lease, or for a duplicate, the execution that has the upload.
    """

    outcome: Literal["claimed", "duplicate", "folded"]
    holder: str


class Leases:
    """The leases of all models, and the claims of their uploads."""

    def __init__(self, table: Table, runs: Runs) -> None:
        self.table = table
        self.runs = runs

    def holder(self, model: str) -> Lease:
        """Return the run that may train the model; its execution may have died."""
        return self._read(model)[0]

    def uploads(self, model: str, object_key: str) -> dict[str, Upload]:
        """Return the claim of each upload of an object key, by upload id."""
        records = self.table.query(*keys.uploads(model, object_key))
        return {keys.id_of_upload(record.key): Upload.model_validate(record.body) for record in records}

    @retry_when_raced
    def claim(
        self, run: Run, upload_id: str | None, arrival: tuple[str, str] | None, is_running: Callable[[str], bool]
    ) -> Claim:
        """Claim an upload and the model's lease for a run, in one transaction. Idempotent.

        Parameters
        ----------
        upload_id : identifies one delivered object; None if the run was asked for
        arrival : key and ETag of that object
        is_running : returns whether an execution (ARN) is running

        Raises
        ------
        Raced : others changed the lease at each attempt
        """
        lease, lease_record = self._read(run.model)
        upload_record = self.table.get(*keys.upload(run.model, upload_id)) if upload_id else None
        if upload_record:
            upload = Upload.model_validate(upload_record.body)
            if upload.execution != run.execution and self._is_taken(upload, is_running):
                return Claim("duplicate", upload.execution)
        if lease.execution == run.execution:
            return Claim("claimed", run.run_id)
        unit = UnitOfWork(self.table, run.model)
        if lease.execution and is_running(lease.execution):
            claim = Claim("folded", lease.run_id)
            unit.put(self._write(run.model, lease.fold(arrival), lease_record))
        else:
            claim = Claim("claimed", run.run_id)
            self._put_end_of_dead_run(unit, lease)
            # the new run inherits the arrivals that were folded into a run that died
            new_lease = Lease(run_id=run.run_id, execution=run.execution, folded=lease.folded)
            unit.put(self._write(run.model, new_lease, lease_record))
            self.runs.put_start(unit, run)
        if upload_id:
            body = {"execution": run.execution, "run_id": claim.holder, "folded": claim.outcome == "folded"}
            if upload_record is None or upload_record.body != body:
                unit.put(Write(*keys.upload(run.model, upload_id), body, revision_of(upload_record)))
        self.runs.put_model(unit)
        unit.commit()
        return claim

    @retry_when_raced
    def mark_as_read(self, run: Run, objects: Collection[tuple[str, str]]) -> None:
        """Remove the folded arrivals that the run reads itself.

        Parameters
        ----------
        objects : key and ETag of each object that the run has listed

        Raises
        ------
        Raced : others changed the lease at each attempt
        """
        lease, record = self._read(run.model)
        listed = set(objects)
        unread = {key: etag for key, etag in lease.folded.items() if (key, etag) not in listed}
        if lease.execution == run.execution and unread != lease.folded:
            self.table.write(self._write(run.model, lease.model_copy(update={"folded": unread}), record))

    @retry_when_raced
    def conclude(self, run: Run, outcome: Outcome, reason: str, version: int | None = None) -> tuple[RunRecord, int]:
        """End a run and release its lease. A run that has ended keeps its outcome.

        Returns
        -------
        the run's record now, and the number of folded arrivals, which start another run

        Raises
        ------
        Unknown : no such run
        Raced : others changed the run or the lease at each attempt
        """
        record = self.runs.read(run.model, run.run_id)
        if record is None:
            raise Unknown(f"there is no run {run.run_id}", run.model, f"`modelcycle runs {run.model}` lists the runs")
        run_record = RunRecord.model_validate(record.body)
        lease, lease_record = self._read(run.model)
        holds_lease = lease.execution == run.execution
        unit = UnitOfWork(self.table, run.model)
        if run_record.state == "running":
            run_record = self.runs.put_end(unit, record, outcome, reason, version)
        if holds_lease:
            unit.put(self._write(run.model, Lease(), lease_record))
            if lease.folded:
                unit.announce("ArrivalsFolded", run_id=run.run_id, arrivals=len(lease.folded))
        unit.commit()
        return run_record, len(lease.folded) if holds_lease else 0

    @retry_when_raced
    def hold(self, model: str, holder: str, execution: str, is_running: Callable[[str], bool]) -> str | None:
        """Take a model's lease for something that is no run, such as an erasure. Idempotent.

        Parameters
        ----------
        holder : its id
        execution : ARN; when it runs no longer, the lease can be taken over

        Returns
        -------
        the id of the one that has the lease meanwhile; None: `holder` has it

        Raises
        ------
        Raced : others changed the lease at each attempt
        """
        lease, record = self._read(model)
        if lease.execution == execution:
            return None
        if lease.execution and is_running(lease.execution):
            return lease.run_id or lease.execution
        unit = UnitOfWork(self.table, model)
        self._put_end_of_dead_run(unit, lease)
        unit.put(self._write(model, Lease(run_id=holder, execution=execution, folded=lease.folded), record))
        unit.commit()
        return None

    @retry_when_raced
    def release(self, model: str, execution: str, own: Collection[tuple[str, str]]) -> int:
        """Give back what `hold` has taken; return how many arrivals start another run. Idempotent.

        Parameters
        ----------
        own : key and ETag of objects that the holder itself has written: their arrival starts nothing

        Raises
        ------
        Raced : others changed the lease at each attempt
        """
        lease, record = self._read(model)
        if lease.execution != execution:
            return 0
        written = set(own)
        folded = {key: etag for key, etag in lease.folded.items() if (key, etag) not in written}
        unit = UnitOfWork(self.table, model)
        unit.put(self._write(model, Lease(), record))
        if folded:
            unit.announce("ArrivalsFolded", run_id=lease.run_id, arrivals=len(folded))
        unit.commit()
        return len(folded)

    def _read(self, model: str) -> tuple[Lease, Record | None]:
        record = self.table.get(*keys.lease(model))
        return (Lease.model_validate(record.body) if record else Lease()), record

    def _write(self, model: str, lease: Lease, record: Record | None) -> Write:
        return Write(*keys.lease(model), lease.model_dump(), revision_of(record))

    def _is_taken(self, upload: Upload, is_running: Callable[[str], bool]) -> bool:
        """Return whether another execution has read the upload, or will: then a second one has nothing to do."""
        if upload.folded or is_running(upload.execution):
            return True
        record = self.runs.of_execution(upload.execution)
        return record is not None and record.state != "running"

    def _put_end_of_dead_run(self, unit: UnitOfWork, lease: Lease) -> None:
        """Add the end of the lease's holder, whose execution died, as when the local cloud was killed."""
        record = self.runs.read(unit.model, lease.run_id) if lease.run_id else None
        if record is not None and record.body["state"] == "running":
            self.runs.put_end(unit, record, "failed", "its execution ended without reporting a result")
