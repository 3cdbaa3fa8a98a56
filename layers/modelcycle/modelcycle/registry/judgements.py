"""Judgements of rollouts: what the evidence said about a version, and what followed.

One record for each move of a rollout, which is replaced at each look until it is decided. A decision is never changed.
"""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages import Judged
from modelcycle.registry import keys
from modelcycle.registry.audit import Entry
from modelcycle.registry.table import Record, Table, Write, retry_when_raced, revision_of
from modelcycle.registry.unit_of_work import UnitOfWork


class Judgement(BaseModel):
    """The last look at a move of a rollout; `looks` counts them."""

    model_config = ConfigDict(defer_build=True)

    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    looks: int = 1
    judged: Judged

    @property
    def is_decided(self) -> bool:
        return self.judged.verdict != "hold"


class Judgements:
    """The judgements of all models."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def get(self, model: str, rollout: str, step: int, move: int) -> Judgement | None:
        """Return the last judgement of a move; None if it was not judged yet."""
        return _judgement(self.table.get(*keys.judgement(model, rollout, step, move)))

    def of_rollout(self, model: str, rollout: str) -> list[Judgement]:
        """Return the judgements of a rollout, in the order of its steps."""
        records = self.table.query(*keys.judgements(model, rollout))
        return [Judgement.model_validate(record.body) for record in records]

    def of_version(self, model: str, version: int) -> list[Judgement]:
        """Return the judgements of all rollouts of a version, oldest first."""
        records = self.table.query(*keys.judgements(model))
        judgements = [Judgement.model_validate(record.body) for record in records]
        return sorted((one for one in judgements if one.judged.version == version), key=lambda one: one.at)

    @retry_when_raced
    def keep(self, judged: Judged) -> Judged:
        """Record a judgement, unless the move is decided already. A step that becomes overdue is announced once.

        The audit trail gets the first look, the one from which on a person has to decide, and the decision.

        Returns
        -------
        the judgement that is on record now

        Raises
        ------
        Raced : others wrote judgements at each attempt
        """
        earlier, write = self.write(judged)
        if earlier is not None and earlier.is_decided:
            return earlier.judged
        unit = UnitOfWork(self.table, judged.model)
        decided = judged.verdict != "hold"
        (unit.put if decided else unit.put_undecided)(write)
        is_overdue_now = judged.overdue and not (earlier and earlier.judged.overdue)
        if is_overdue_now:
            unit.announce("VersionHeld", version=judged.version, weight=judged.weight, why=judged.reason)
        if decided or earlier is None or is_overdue_now:
            looks = earlier.looks + 1 if earlier else 1
            unit.audit(
                keys.decision_of_judge(judged.rollout, judged.step, judged.moves or 0, looks), _entry(judged)
            )  # fmt: skip
        unit.commit()
        return judged

    def write(self, judged: Judged) -> tuple[Judgement | None, Write]:
        """Return the judgement that is on record, and the write that replaces it, for a transaction."""
        if judged.moves is None:
            raise ValueError("a judgement is about a move of the route")
        key = keys.judgement(judged.model, judged.rollout, judged.step, judged.moves)
        record = self.table.get(*key)
        earlier = _judgement(record)
        after = Judgement(looks=earlier.looks + 1 if earlier else 1, judged=judged)
        return earlier, Write(*key, after.model_dump(mode="json"), revision_of(record))


def _entry(judged: Judged) -> Entry:
    return Entry(
        subject=f"version {judged.version}", decision=judged.verdict, by="judge", why=judged.reason,
        evidence={
            "weight": judged.weight, "findings": [finding.model_dump(mode="json") for finding in judged.findings]
        },
    )  # fmt: skip


def _judgement(record: Record | None) -> Judgement | None:
    return Judgement.model_validate(record.body) if record else None
