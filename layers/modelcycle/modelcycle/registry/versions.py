"""Versions: integers, immutable, made once from the same content; and the state that each has reached.

What made a version never changes (`VERSION#n`). Where it stands is a record beside it (`STATE#n`) that moves only along
the declared transitions.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from modelcycle.faults import NotAllowed, Raced, Unknown
from modelcycle.messages import Artifact
from modelcycle.registry.events import Kind, event, now
from modelcycle.registry.table import Table, Write
from modelcycle.spec import Task

State = Literal["registered", "staged", "awaiting_approval", "live", "retired", "refused", "rejected", "rolled_back"]

TRANSITIONS: dict[State, set[State]] = {
    "registered": {"staged", "refused"},
    "staged": {"awaiting_approval", "live"},
    "awaiting_approval": {"staged", "rejected"},
    "live": {"retired", "rolled_back"},
    "retired": {"live"},
    "rolled_back": {"live"},
    "refused": set(),
    "rejected": set(),
}
DISMISSED: frozenset[State] = frozenset({"refused", "rejected", "rolled_back"})  # a verdict speaks against them
TOLD: dict[State, Kind] = {
    "staged": "VersionStaged", "refused": "VersionRefused", "rejected": "VersionRejected",
}  # fmt: skip


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
    state: State
    at: datetime
    by: str
    why: str = ""


class Versions:
    def __init__(self, table: Table) -> None:
        self.table = table

    def register(
        self, draft: Version, content: str, is_intact: Callable[[Version], bool] = lambda version: True
    ) -> tuple[Version, bool]:
        """Give the draft the next number, in one transaction; the same content gets its first number again.

        A version never changes. So content whose version is no longer intact gets a new number, unless that version
        was refused, rejected or rolled back: a verdict about a model outlives its files.

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
                if self.standing(draft.model, earlier.version).state in DISMISSED or is_intact(earlier):
                    return earlier, False
            latest = self.table.read(pk, "LATEST")
            number = (latest.body["version"] if latest else 0) + 1
            version = draft.model_copy(update={"version": number})
            standing = Standing(state="registered", at=now(), by=f"run {draft.run_id}")
            try:
                self.table.write(
                    Write(pk, "LATEST", {"version": number}, latest.revision if latest else 0),
                    Write(pk, f"VERSION#{number:08d}", version.model_dump(mode="json")),
                    Write(pk, f"STATE#{number:08d}", standing.model_dump(mode="json")),
                    Write(pk, f"CONTENT#{content}", {"version": number}, made.revision if made else 0),
                    event("VersionRegistered", draft.model, version=number, run_id=draft.run_id),
                )
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
        record = self.table.read(f"MODEL#{model}", f"STATE#{version:08d}")
        if record is None:
            raise Unknown(f"{model} has no version {version}", model, f"`modelcycle show {model}` lists them")
        return Standing.model_validate(record.body)

    def move(self, model: str, version: int, to: State, by: str, why: str = "") -> Standing:
        """Move a version to another state; where it already stands there, nothing happens."""
        for _ in range(10):
            if self.standing(model, version).state == to:
                return self.standing(model, version)
            kind = TOLD.get(to)
            told = [event(kind, model, version=version, by=by, why=why)] if kind else []
            try:
                self.table.write(self.moved(model, version, to, by, why), *told)
                return self.standing(model, version)
            except Raced:
                continue
        raise Raced("the version's state is changed by others too", f"{model}:{version}", "try again")

    def moved(self, model: str, version: int, to: State, by: str, why: str = "") -> Write:
        """The write of a transition, for a transaction that holds more.

        Raises
        ------
        NotAllowed : no such transition is declared
        """
        record = self.table.read(f"MODEL#{model}", f"STATE#{version:08d}")
        if record is None:
            raise Unknown(f"{model} has no version {version}", model, f"`modelcycle show {model}` lists them")
        state = Standing.model_validate(record.body).state
        if to not in TRANSITIONS[state]:
            raise NotAllowed(
                f"version {version} is {state.replace('_', ' ')} and cannot become {to.replace('_', ' ')}",
                f"{model}:{version}", f"`modelcycle show {model}` says where each version stands",
            )  # fmt: skip
        standing = Standing(state=to, at=now(), by=by, why=why)
        return Write(record.pk, record.sk, standing.model_dump(mode="json"), record.revision)
