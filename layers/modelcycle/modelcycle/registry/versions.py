"""Versions: integers, immutable, made once from the same content; and the state that each has reached.

What made a version never changes (`VERSION#n`). Where it stands is a record beside it (`STATE#n`) that moves only along
the declared transitions.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, model_validator

from modelcycle.faults import NotAllowed, Raced, Unknown
from modelcycle.messages import Artifact
from modelcycle.registry.audit import Audit, Entry
from modelcycle.registry.events import Kind, now
from modelcycle.registry.table import Record, Table, Write
from modelcycle.registry.unit import Unit
from modelcycle.spec import Task

State = Literal["registered", "staged", "awaiting_approval", "live", "retired", "refused", "rejected", "rolled_back"]

TRANSITIONS: dict[State, set[State]] = {
    "registered": {"staged", "refused"},
    "staged": {"awaiting_approval", "live"},
    "awaiting_approval": {"staged", "rejected"},
    "live": {"retired", "rolled_back"},
    "retired": {"awaiting_approval", "live"},  # a later run may make the version again, and ask for approval again
    "rolled_back": {"staged", "refused", "live"},
    "refused": {"staged", "refused"},
    "rejected": set(),
}
STAGING: set[State] = {"staged", "refused"}  # closed to a version whose dismissal is final
TOLD: dict[State, Kind] = {
    "staged": "VersionStaged", "refused": "VersionRefused", "rejected": "VersionRejected",
}  # fmt: skip
BECOME: dict[State, str] = {"staged": "be staged", "live": "go live", "rejected": "be rejected"}
INSTEAD: dict[State, str] = {
    "registered": "`modelcycle runs {model}` says how far its run came; run again to stage it",
    "staged": "`modelcycle promote {model}:{version}` moves traffic to it",
    "awaiting_approval": "`modelcycle approve {model}:{version}` lets it go live, `modelcycle reject` refuses it",
    "live": "`modelcycle rollback {model}` takes traffic away from it",
    "retired": "`modelcycle promote {model}:{version}` moves traffic back to it",
    "rolled_back": "`modelcycle promote {model}:{version}` moves traffic back to it",
    "refused": "`modelcycle show {model}:{version}` says why; change the data or the pipeline file and run again",
    "rejected": "a rejected version stays out; change the data or the pipeline file and run again",
}


class Version(BaseModel):
    """Everything needed to serve a version, and to say what made it."""

    model: str
    version: int
    run_id: str
    created_at: datetime
    task: Task
    onnx: Artifact
    skops: Artifact
    signature: Artifact
    plan: Artifact
    profile: Artifact
    lineage: Artifact
    card: Artifact
    validation: Artifact
    pipeline: Artifact
    metric: str
    metrics: dict[str, float]
    interval: tuple[float, float]
    data: str
    code: str
    opset: int

    @property
    def essentials(self) -> tuple[Artifact, ...]:
        """The artifacts without which the version cannot be served, rolled out or monitored."""
        return self.onnx, self.signature, self.profile, self.pipeline


class Standing(BaseModel):
    """Where a version stands since when, and by whose decision.

    `final` says that the version was dismissed for what it is: wrong answers, a broken contract, a person's rejection
    or rollback. No later run stages it again. Without it (a slow rehearsal, a rollout that died) a later run may.
    """

    state: State
    at: datetime
    by: str
    why: str = ""
    final: bool = False

    @model_validator(mode="before")
    @classmethod
    def _written_before_final(cls, body: Any) -> Any:
        """Records without `final`: a refusal is judged again by the next rehearsal, a person's decision stands."""
        if isinstance(body, dict) and "final" not in body:
            final = body.get("state") == "rejected" or (body.get("state") == "rolled_back" and body["by"] != "rollout")
            return body | {"final": final}
        return body

    @property
    def approved(self) -> bool:
        """Whether a person let the version go live, and it has not been live since."""
        return self.state == "staged" and not self.by.startswith("run ")


class Versions:
    def __init__(self, table: Table) -> None:
        self.table = table
        self.audit = Audit(table)

    def register(
        self, draft: Version, content: str, is_intact: Callable[[Version], bool] = lambda version: True
    ) -> tuple[Version, bool]:
        """Give the draft the next number, in one transaction; the same content gets its first number again.

        A version never changes. So content whose version is no longer intact gets a new number, unless the verdict
        about that version is final: a verdict about a model outlives its files.

        Parameters
        ----------
        content : hash of all that makes the version (model, signature, data)
        is_intact : whether the artifacts of a registered version are still there

        Returns
        -------
        the version on record, and whether this call made it
        """
        pk = f"MODEL#{draft.model}"
        for _ in range(10):
            made = self.table.read(pk, f"CONTENT#{content}")
            if made:
                earlier = self.get(draft.model, made.body["version"])
                if self.standing(draft.model, earlier.version).final or is_intact(earlier):
                    return earlier, False
            latest = self.table.read(pk, "LATEST")
            number = (latest.body["version"] if latest else 0) + 1
            version = draft.model_copy(update={"version": number})
            by, at = f"run {draft.run_id}", now()
            unit = Unit(self.table, draft.model)
            unit.put(
                Write(pk, "LATEST", {"version": number}, latest.revision if latest else 0),
                Write(pk, f"VERSION#{number:08d}", version.model_dump(mode="json")),
                Write(pk, _state(number), Standing(state="registered", at=at, by=by).model_dump(mode="json")),
                Write(pk, f"CONTENT#{content}", {"version": number}, made.revision if made else 0),
            )
            unit.tell("VersionRegistered", version=number, run_id=draft.run_id)
            unit.audit(f"{_state(number)}#0", Entry(at=at, subject=f"version {number}", decision="registered", by=by))
            try:
                unit.commit()
                return version, True
            except Raced:
                continue
        raise Raced("versions are being registered too fast", draft.model, "the step is tried again")

    def get(self, model: str, version: int) -> Version:
        """Raises Unknown."""
        record = self.table.read(f"MODEL#{model}", f"VERSION#{version:08d}")
        if record is None:
            raise Unknown(f"{model} has no version {version}", model, f"`modelcycle show {model}` lists them")
        return Version.model_validate(record.body)

    def all(self, model: str, limit: int | None = None) -> list[Version]:
        """Newest first."""
        found = self.table.query(f"MODEL#{model}", "VERSION#", newest_first=True, limit=limit)
        return [Version.model_validate(record.body) for record in found]

    def standings(self, model: str) -> dict[int, Standing]:
        """The standing of every version, by its number."""
        found = self.table.query(f"MODEL#{model}", "STATE#")
        return {int(record.sk.removeprefix("STATE#")): Standing.model_validate(record.body) for record in found}

    def standing(self, model: str, version: int) -> Standing:
        """Raises Unknown."""
        return self._standing(model, version)[0]

    def check(self, model: str, version: int, to: State) -> None:
        """Raise what `move` would raise.

        Raises
        ------
        Unknown : no such version
        NotAllowed : no transition leads from its state to `to`; says what would do
        """
        standing = self.standing(model, version)
        if standing.state != to and not _leads(standing, to):
            raise not_allowed(model, version, standing, to)

    def move(
        self, model: str, version: int, to: State, by: str, why: str = "", *,
        decision: str = "", final: bool = False, key: str = "",
    ) -> Standing:  # fmt: skip
        """Move a version to another state, with the audit entry of the decision.

        Idempotent: nothing happens where the version already stands there, or where the decision is on record.

        Parameters
        ----------
        decision : its name in the audit trail; by default the state
        final : whether no later run may stage the version again
        key : identifies the decision; by default, the state that it changes does

        Returns
        -------
        where the version stands now

        Raises
        ------
        NotAllowed : no such transition is declared
        """
        for _ in range(10):
            standing, record = self._standing(model, version)
            again = standing.state == to and (standing.by == by or not _leads(standing, to))
            if again or (key and self.audit.has(model, key)):
                return standing
            unit = Unit(self.table, model)
            self.transition(unit, version, to, by, why, final=final)
            approved = standing.state == "awaiting_approval" and to == "staged"
            kind: Kind | None = "VersionApproved" if approved else TOLD.get(to)
            if kind:
                unit.tell(kind, version=version, by=by, why=why)
            unit.audit(
                key or f"{record.sk}#{record.revision}",
                Entry(at=now(), subject=f"version {version}", decision=decision or to, by=by, why=why),
            )
            try:
                unit.commit()
            except Raced:
                continue
            return self.standing(model, version)
        raise Raced("the version's state is changed by others too", f"{model}:{version}", "try again")

    def transition(
        self, unit: Unit, version: int, to: State, by: str, why: str = "", *,
        final: bool = False, whence: set[State] | None = None,
    ) -> None:  # fmt: skip
        """Put a transition into a unit that holds more, such as a move of traffic.

        Parameters
        ----------
        whence : the states from which it leads; by default those that TRANSITIONS declares

        Raises
        ------
        NotAllowed : no such transition is declared
        """
        standing, record = self._standing(unit.model, version)
        if not (standing.state in whence if whence is not None else _leads(standing, to)):
            raise not_allowed(unit.model, version, standing, to)
        after = Standing(state=to, at=now(), by=by, why=why, final=final or to == "rejected")
        unit.put(Write(record.pk, record.sk, after.model_dump(mode="json"), record.revision))

    def _standing(self, model: str, version: int) -> tuple[Standing, Record]:
        record = self.table.read(f"MODEL#{model}", _state(version))
        if record is None:
            raise Unknown(f"{model} has no version {version}", model, f"`modelcycle show {model}` lists them")
        return Standing.model_validate(record.body), record


def not_allowed(model: str, version: int, standing: Standing, to: State) -> NotAllowed:
    """Why a version cannot change to a state, and what a person can do with it instead."""
    become = BECOME.get(to, f"become {to.replace('_', ' ')}")
    return NotAllowed(
        f"version {version} is {standing.state.replace('_', ' ')} and may not {become}",
        f"{model}:{version}",
        INSTEAD[standing.state].format(model=model, version=version),
    )


def _leads(standing: Standing, to: State) -> bool:
    return to in TRANSITIONS[standing.state] and not (standing.final and to in STAGING)


def _state(version: int) -> str:
    return f"STATE#{version:08d}"
