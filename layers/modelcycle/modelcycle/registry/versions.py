"""Versions of models: numbered from 1, never changed, and one for each content."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime

from pydantic import BaseModel, Field

from modelcycle.faults import Tampered, Unknown
from modelcycle.messages import Artifact, Chain, ContractChange, foreign_names
from modelcycle.registry import keys
from modelcycle.registry.audit import Entry
from modelcycle.registry.standings import Standings
from modelcycle.registry.table import Table, Write, retry_when_raced, revision_of
from modelcycle.registry.transitions import Standing
from modelcycle.registry.unit_of_work import UnitOfWork
from modelcycle.spec import Capture, Task


class ReferenceRows(BaseModel):
    """The test rows on which a version was judged: live traffic is compared with them.

    Parameters
    ----------
    features : npz of typed columns
    labels : npz of their target
    scores : npz: the judged model's scores of them
    recent : npz: which of them came with the traffic that the version was made for; only these are the reference then,
        because that traffic goes on; None: all of them are
    """

    features: Artifact
    labels: Artifact
    scores: Artifact
    recent: Artifact | None = None


class Version(BaseModel):
    """Everything needed to serve a version, and to say what made it.

    Parameters
    ----------
    onnx, skops : the model that serves
    twin : the ONNX graph that was judged, if another one serves: the same recipe, fitted without the test rows
    cases : the cases that the judged model has learned from; later test rows with the same cases do not judge it
    learned : rows that the serving model has learned from
    chain : what the versions have lost since the best of them
    contract : what its rows are like, to which later batches are held
    capture : which of its answers are captured, and what of them
    contract_change : how its columns differ from those of the champion when it was registered
    reference : what its live traffic is compared with; None for a version that is older than this
    figures : JSON: the figures of its run by name, against which policies are checked; None for older versions
    author : ARN of who started its run; None: nobody knows
    author_proved : whether the data bucket's policy has proved that; otherwise somebody says so
    bundle : its signature by the stack's key; None if it was registered without one. `signature` is that of its columns
    must_be_signed : whether it has no signature, and versions of its number were signed. Never stored: `Versions.get`
        finds it in another record, see `SignedNumbers`
    """

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
    twin: Artifact | None = None
    cases: Artifact | None = None
    learned: int | None = None
    chain: Chain | None = None
    contract: Artifact | None = None
    capture: Capture = Capture()
    contract_change: ContractChange | None = None
    reference: ReferenceRows | None = None
    figures: Artifact | None = None
    author: str | None = None
    author_proved: bool = False
    bundle: Artifact | None = None
    must_be_signed: bool = Field(False, exclude=True)

    @property
    def judged(self) -> Artifact:
        """The ONNX graph that was judged, and that later candidates are compared with."""
        return self.twin or self.onnx

    @property
    def essentials(self) -> tuple[Artifact, ...]:
        """The artifacts without which the version cannot be served, rolled out or monitored."""
        return self.onnx, self.signature, self.profile, self.pipeline, *((self.bundle,) if self.bundle else ())

    @property
    def answers_key(self) -> str:
        """The key of its answers on record, which `stage` writes once and checks of new code read.

        What serves is in it: another registry may have given the same number to another model.
        """
        content = hashlib.sha256(f"{self.onnx.sha256} {self.signature.sha256}".encode()).hexdigest()[:16]
        return f"{self.model}/staging/{self.version:08d}/{content}/answers.json"


class SignedNumbers(BaseModel):
    """Which versions of a model were signed when they were registered. It changes only with the stack's key.

    It is not in the versions' own records: one that has lost its signature would say that it never had one.

    Parameters
    ----------
    switched : from the first number on versions are signed, from the second on they are not, and so on
    """

    switched: list[int] = []

    def __contains__(self, number: int) -> bool:
        """Return whether the version of that number was signed.

        >>> signed = SignedNumbers(switched=[3, 7])
        >>> 2 in signed, 3 in signed, 6 in signed, 7 in signed
        (False, True, True, False)
        """
        return bisect_right(self.switched, number) % 2 == 1


class Versions:
    """The versions of all models."""

    def __init__(self, table: Table, standings: Standings) -> None:
        self.table = table
        self.standings = standings

    @retry_when_raced
    def register(
        self,
        draft: Version,
        content: str,
        is_intact: Callable[[Version], bool] = lambda version: True,
        training_code: str = "",
    ) -> tuple[Version, bool]:
        """Give a draft the next version number, in one transaction. Content that has a number keeps it.

        A version never changes. Content whose version is no longer intact therefore gets a new number, unless the
        verdict about that version is final: a verdict about a model outlives its files.

        Parameters
        ----------
        draft : the version; its number is ignored
        content : hash of what makes the version (model, signature, data)
        is_intact : returns whether the artifacts of a registered version are still there
        training_code : hash of the code that has learned it; other code may make the same version again

        Returns
        -------
        the registered version, and whether this call made it

        Raises
        ------
        Raced : others registered versions at each attempt
        """
        model = draft.model
        known = self.table.get(*keys.content(model, content))
        if known:
            earlier = self.get(model, known.body["version"])
            if self.standings.get(model, earlier.version).final or is_intact(earlier):
                self._put_training_code(earlier, training_code)
                return earlier, False
        latest = self.table.get(*keys.latest_version(model))
        number = (latest.body["version"] if latest else 0) + 1
        version = draft.model_copy(update={"version": number})
        standing = Standing(state="registered", by=f"run {draft.run_id}")
        unit = UnitOfWork(self.table, model)
        unit.put(
            Write(*keys.latest_version(model), {"version": number}, revision_of(latest)),
            Write(*keys.version(model, number), version.model_dump(mode="json")),
            Write(*keys.state(model, number), standing.model_dump(mode="json")),
            Write(*keys.content(model, content), {"version": number}, revision_of(known)),
        )
        record = self.table.get(*keys.signed_versions(model))
        signed = SignedNumbers.model_validate(record.body) if record else SignedNumbers()
        if (number in signed) != (version.bundle is not None):
            switched = SignedNumbers(switched=[*signed.switched, number])
            unit.put(Write(*keys.signed_versions(model), switched.model_dump(), revision_of(record)))
        if training_code:
            unit.put(Write(*keys.training_code(model, number), {"code": training_code}))
        change = version.contract_change
        detail = {"contract_change": change.model_dump(mode="json")} if change else {}
        unit.announce("VersionRegistered", version=number, run_id=draft.run_id, **detail)
        unit.audit(
            keys.decision_about_state(number, 0),
            Entry(
                at=standing.at,
                subject=f"version {number}",
                decision="registered",
                by=standing.by,
                evidence={"bundle": version.bundle.sha256} if version.bundle else {},
            ),
        )
        unit.commit()
        return version, True

    def training_code(self, model: str, version: int) -> str:
        """Return the hash of the training code that made a version last; empty if it is not on record."""
        record = self.table.get(*keys.training_code(model, version))
        return str(record.body["code"]) if record else ""

    def _put_training_code(self, version: Version, code: str) -> None:
        """Record that other code has made the same version again."""
        key = keys.training_code(version.model, version.version)
        known = self.table.get(*key)
        if code and (known is None or known.body["code"] != code):
            self.table.write(Write(*key, {"code": code}, revision_of(known)))

    def get(self, model: str, version: int) -> Version:
        """Return a version.

        Raises
        ------
        Unknown : no such version
        Tampered : its record names objects of another model
        """
        record = self.table.get(*keys.version(model, version))
        if record is None:
            raise Unknown(f"{model} has no version {version}", model, f"`modelcycle show {model}` lists its versions")
        found = Version.model_validate(record.body)
        if found.bundle is None:
            found = found.model_copy(update={"must_be_signed": version in self.signed(model)})
        fields = foreign_names(found, model)
        if fields:  # `predict` may read the objects of every model
            raise Tampered(
                f"the record of version {version} names another model or its objects: {', '.join(fields)}",
                f"{model}:{version}", f"another version has to serve: `modelcycle rollback {model}`",
            )  # fmt: skip
        return found

    def newest(self, model: str) -> int | None:
        """Return the number of a model's newest version; None if it has none."""
        record = self.table.get(*keys.latest_version(model))
        return int(record.body["version"]) if record else None

    def all(self, model: str, limit: int | None = None) -> list[Version]:
        """Return the versions of a model, newest first, for lists: not to serve them."""
        records = self.table.query(*keys.versions(model), newest_first=True, limit=limit)
        return [Version.model_validate(record.body) for record in records]

    def signed(self, model: str) -> SignedNumbers:
        """Return which versions of a model were signed."""
        record = self.table.get(*keys.signed_versions(model))
        return SignedNumbers.model_validate(record.body) if record else SignedNumbers()
