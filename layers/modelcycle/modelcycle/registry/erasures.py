"""Erasures: which there were, which objects they have written anew, and which versions had learned from the rows.

An artifact is found by the hash that a result or a version has on record. After an erasure its object has another one:
`Rewritten` says which, and only the role of the erasure may write it. Readers ask for it when a hash differs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages import Artifact
from modelcycle.registry import keys
from modelcycle.registry.audit import Entry
from modelcycle.registry.table import Table, Write, retry_when_raced, revision_of
from modelcycle.registry.unit_of_work import UnitOfWork

MAX_FORMER = 200  # hashes of an object that are remembered; the oldest go first


class ErasureRecord(BaseModel):
    """An erasure.

    Parameters
    ----------
    by, why : who asked for it, and the reason, as they told
    receipt : once it is done
    """

    model_config = ConfigDict(defer_build=True)

    erasure: str
    asked_at: datetime
    by: str = ""
    why: str = ""
    state: Literal["running", "failed", "done"] = "running"
    reason: str = ""
    ended_at: datetime | None = None
    rows: int = 0
    receipt: Artifact | None = None


class Rewritten(BaseModel):
    """An object that an erasure has written anew.

    Parameters
    ----------
    was : the hashes (SHA-256) that the object had, oldest first
    now : the one that it has; None: it was deleted
    etag : of the object, for objects whose arrival starts something
    signature : of all this but the ETag by the stack's key, in Base64; empty if the erasure has not signed it
    """

    model_config = ConfigDict(defer_build=True)

    was: list[str]
    now: str | None
    bytes: int = 0
    etag: str = ""
    signature: str = ""

    def is_the_same_change_as(self, other: Rewritten) -> bool:
        """Return whether two say the same but for the ETag, so that the signature of one is one of the other."""
        return (self.was, self.now, self.bytes) == (other.was, other.now, other.bytes)


class LearnedFromErased(BaseModel):
    """That a version has learned from rows which were erased later.

    Parameters
    ----------
    erasures : their ids, oldest first
    by_lineage : those of them of which only the version's files say so: its rows could not be looked at any more
    holds_texts : whether its graph still names a text that only these rows had, as a category
    """

    model_config = ConfigDict(defer_build=True)

    erasures: list[str] = Field(min_length=1)
    at: datetime
    by_lineage: list[str] = []
    holds_texts: bool = False


class Erasures:
    """The erasures of all models."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def get(self, model: str, erasure: str) -> ErasureRecord | None:
        """Return an erasure; None if there is none of that id."""
        record = self.table.get(*keys.erasure(model, erasure))
        return ErasureRecord.model_validate(record.body) if record else None

    def all(self, model: str) -> list[ErasureRecord]:
        """Return the erasures of a model, newest first."""
        records = self.table.query(*keys.erasures(model), newest_first=True)
        return [ErasureRecord.model_validate(record.body) for record in records]

    @retry_when_raced
    def begin(self, model: str, erasure: ErasureRecord) -> None:
        """Record that an erasure has begun, or goes on after a failure. Idempotent; one that is done stays done."""
        key = keys.erasure(model, erasure.erasure)
        record = self.table.get(*key)
        known = ErasureRecord.model_validate(record.body) if record else None
        if known is not None and known.state != "failed":
            return
        began = erasure if known is None else known.model_copy(update={"state": "running", "reason": ""})
        self.table.write(Write(*key, began.model_dump(mode="json"), revision_of(record)))

    @retry_when_raced
    def fail(self, model: str, erasure: str, reason: str) -> None:
        """Record that an erasure has stopped; it can be taken up again."""
        key = keys.erasure(model, erasure)
        record = self.table.get(*key)
        known = ErasureRecord.model_validate(record.body) if record else None
        if known is None or known.state == "done":
            return
        failed = known.model_copy(update={"state": "failed", "reason": reason, "ended_at": datetime.now(UTC)})
        self.table.write(Write(*key, failed.model_dump(mode="json"), revision_of(record)))

    @retry_when_raced
    def finish(self, model: str, done: ErasureRecord, evidence: dict[str, Artifact]) -> ErasureRecord:
        """Record the end of an erasure together with the decision behind it. Idempotent: the first end is kept.

        Parameters
        ----------
        evidence : the receipt and the tombstones
        """
        key = keys.erasure(model, done.erasure)
        record = self.table.get(*key)
        known = ErasureRecord.model_validate(record.body) if record else None
        if known is not None and known.state == "done":
            return known
        unit = UnitOfWork(self.table, model)
        unit.put(Write(*key, done.model_dump(mode="json"), revision_of(record)))
        unit.audit(
            keys.decision_to_erase(done.erasure),
            Entry(
                subject=f"erasure {done.erasure}", decision="erased", by=done.by or "unknown", why=done.why,
                evidence={name: artifact.model_dump(mode="json") for name, artifact in evidence.items()},
            ),
        )  # fmt: skip
        unit.commit()
        return done

    def rewritten(self, model: str, bucket: str, object_key: str) -> Rewritten | None:
        """Return how an erasure has left an object; None if none has touched it."""
        record = self.table.get(*keys.rewritten_object(model, bucket, object_key))
        return Rewritten.model_validate(record.body) if record else None

    def former_hashes(self, model: str, bucket: str, prefix: str) -> set[str]:
        """Return the hashes (SHA-256) that objects of a folder had before erasures have taken rows out of them."""
        records = self.table.query(*keys.rewritten_objects(model, bucket, prefix))
        return {sha for record in records for sha in Rewritten.model_validate(record.body).was}

    @retry_when_raced
    def rewrite(
        self, model: str, bucket: str, object_key: str, was: str, now: str | None, size: int = 0, etag: str = "",
        sign: Callable[[Rewritten], str] = lambda rewritten: "",
    ) -> None:  # fmt: skip
        """Record that an object gets other bytes, or is deleted (`now` is None), before it does.

        Parameters
        ----------
        sign : returns the signature of the record
        """
        key = keys.rewritten_object(model, bucket, object_key)
        record = self.table.get(*key)
        known = Rewritten.model_validate(record.body) if record else Rewritten(was=[], now=None)
        former = [*known.was, *([known.now] if known.now not in (None, now, was) else []), was]
        former = [sha for sha in dict.fromkeys(former) if sha != now][-MAX_FORMER:]
        found = Rewritten(was=former, now=now, bytes=size, etag=etag)
        signed = known.signature if known.is_the_same_change_as(found) else ""
        found = found.model_copy(update={"signature": signed or sign(found)})
        if record is None or found != known:
            self.table.write(Write(*key, found.model_dump(mode="json"), revision_of(record)))

    def replacement(self, artifact: Artifact) -> Rewritten | None:
        """Return what an erasure has made of an artifact; None if none has, or it was deleted.

        Parameters
        ----------
        artifact : as a result, version or manifest has it on record
        """
        bucket, _, object_key = artifact.uri.removeprefix("s3://").partition("/")
        found = self.rewritten(artifact.owner, bucket, object_key)
        if found is None or found.now is None or artifact.sha256 not in found.was:
            return None
        return found

    def learned(self, model: str) -> dict[int, LearnedFromErased]:
        """Return the versions that have learned from rows which were erased later, by number."""
        records = self.table.query(*keys.versions_after_erasure(model))
        return {
            keys.version_after_an_erasure(record.key): LearnedFromErased.model_validate(record.body)
            for record in records
        }

    @retry_when_raced
    def mark(
        self, model: str, version: int, erasure: str, *, holds_texts: bool, by_lineage: bool = False
    ) -> None:  # fmt: skip
        """Record that a version has learned from rows which an erasure has taken away. Idempotent."""
        key = keys.version_after_erasure(model, version)
        record = self.table.get(*key)
        known = LearnedFromErased.model_validate(record.body) if record else None
        erasures = [*(known.erasures if known else []), erasure]
        told = [*(known.by_lineage if known else []), *([erasure] if by_lineage else [])]
        marked = LearnedFromErased(
            erasures=list(dict.fromkeys(erasures)),
            at=known.at if known and erasure in known.erasures else datetime.now(UTC),
            by_lineage=list(dict.fromkeys(told)),
            holds_texts=holds_texts or bool(known and known.holds_texts),
        )
        if marked != known:
            self.table.write(Write(*key, marked.model_dump(mode="json"), revision_of(record)))
