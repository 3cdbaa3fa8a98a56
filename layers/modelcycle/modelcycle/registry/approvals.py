"""Approvals of versions: who has approved what, and when the last one moves the version on.

One record for each version. It holds the approvals of the last request: a version may be asked about again, and what
was said before then counts no more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.registry import keys
from modelcycle.registry.audit import Entry
from modelcycle.registry.moves import Move
from modelcycle.registry.standings import Standings
from modelcycle.registry.table import Record, Table, Write, retry_when_raced, revision_of
from modelcycle.registry.transitions import Standing, State, not_allowed
from modelcycle.registry.unit_of_work import UnitOfWork


class Approval(BaseModel):
    """A person's approval.

    Parameters
    ----------
    by : ARN
    evidence : SHA-256 over everything that was approved, see `modelcycle.policy.evidence_of`
    policy : SHA-256 of the policy that applied
    """

    model_config = ConfigDict(defer_build=True)

    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    by: str
    why: str = ""
    evidence: str
    policy: str = ""


class Approved(BaseModel):
    """The approvals of a version since it was asked about; `needed` is how many the last of them had to be.

    Parameters
    ----------
    asker : who started the run that asked; None in records from before it was kept
    """

    model_config = ConfigDict(defer_build=True)

    asked_at: datetime
    needed: int
    given: list[Approval]
    asker: str | None = Field(None, exclude_if=lambda value: value is None)

    def valid(self, evidence: str) -> list[Approval]:
        """Return the approvals of exactly this evidence; one of other bytes is none."""
        return [approval for approval in self.given if approval.evidence == evidence]


class Counted(NamedTuple):
    """What an approval has led to.

    Parameters
    ----------
    approvals : that count now
    repeated : the person had approved the version before, and nothing was written
    complete : the version is approved
    """

    approvals: int
    repeated: bool
    complete: bool


class Approvals:
    """The approvals of all models."""

    def __init__(self, table: Table, standings: Standings) -> None:
        self.table = table
        self.standings = standings

    def get(self, model: str, version: int) -> Approved | None:
        """Return the approvals of a version; None if nobody has approved it since there are such records."""
        return _approved(self.table.get(*keys.approval(model, version)))

    def since_asked(self, model: str, version: int) -> Approved | None:
        """Return the approvals of the request that is open; None if there is none yet."""
        approved = self.get(model, version)
        return approved if approved and approved.asked_at == self.standings.get(model, version).at else None

    @retry_when_raced
    def give(
        self, model: str, version: int, approval: Approval, needed: int, is_same_person: Callable[[str, str], bool],
        asker: str | None = None,
    ) -> Counted:  # fmt: skip
        """Record an approval; the last one that is needed moves the version on, in the same transaction.

        Idempotent: a person counts once, however often they approve.

        Parameters
        ----------
        needed : approvals by different people
        asker : who started the run that asks

        Raises
        ------
        NotAllowed : the version does not wait for an approval
        Raced : others decided about it at each attempt
        """
        standing, standing_record = self.standings.read(model, version)
        if standing.state != "awaiting_approval":
            raise not_allowed(model, version, standing.state, "staged")
        key = keys.approval(model, version)
        record = self.table.get(*key)
        before = _approved(record)
        given = before.valid(approval.evidence) if before and before.asked_at == standing.at else []
        if any(is_same_person(earlier.by, approval.by) for earlier in given):
            return Counted(len(given), repeated=True, complete=False)
        after = Approved(asked_at=standing.at, needed=needed, given=[*given, approval], asker=asker)
        complete = len(after.given) >= needed
        unit = UnitOfWork(self.table, model)
        unit.put(Write(*key, after.model_dump(mode="json"), revision_of(record)))
        name = keys.decision_to_approve(version, standing_record.revision, revision_of(record))
        if complete:
            self.standings.put_transition(unit, version, "staged", approval.by, approval.why)
            unit.announce("VersionApproved", version=version, by=approval.by, why=approval.why)
            name = keys.decision_about_state(version, standing_record.revision)
        evidence = {
            "sha256": approval.evidence, "policy": approval.policy, "approval": len(after.given), "needed": needed,
        }  # fmt: skip
        decision = "approve" if complete else "approval"
        entry = Entry(
            at=approval.at, subject=f"version {version}", decision=decision, by=approval.by, why=approval.why,
            evidence=evidence,
        )  # fmt: skip
        unit.audit(name, entry)
        unit.commit()
        return Counted(len(after.given), repeated=False, complete=complete)

    def expire(self, model: str, version: int, standing: Standing, by: str, why: str) -> None:
        """End a request for approval that nobody has answered: the version is refused, or retired if it had traffic.

        Raises
        ------
        NotAllowed : it waits no more
        Raced : others decided about it at the same time
        """
        had_traffic = any(version in move.after for move in self._moves(model))
        state: State = "retired" if had_traffic else "refused"
        unit = UnitOfWork(self.table, model)
        self.standings.put_transition(unit, version, state, by, why, allowed_from={"awaiting_approval"})
        if state == "refused":
            unit.announce("VersionRefused", version=version, by=by, why=why)
        unit.audit(
            keys.decision_to_expire(version, standing.at),
            Entry(subject=f"version {version}", decision="expired", by=by, why=why),
        )
        unit.commit()

    def _moves(self, model: str) -> list[Move]:
        return [Move.model_validate(record.body) for record in self.table.query(*keys.moves(model))]


def _approved(record: Record | None) -> Approved | None:
    return Approved.model_validate(record.body) if record else None
