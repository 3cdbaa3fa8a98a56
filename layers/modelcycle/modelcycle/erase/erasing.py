"""What the parts of an erasure share: the places, what is known, what was found, and how a version is replaced."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from modelcycle.erase import references, tables
from modelcycle.erase.ancestry import Ancestry, ancestry
from modelcycle.erase.places import Place
from modelcycle.erase.subjects import Subjects
from modelcycle.erase.work import Count, Found, Tombstone, Work
from modelcycle.erasing_store import ERASURE, ObjectVersion, S3ErasingStore
from modelcycle.faults import BadPipeline, Unknown
from modelcycle.key_service import KeyService
from modelcycle.messages import Artifact, EraseObjectsRequest
from modelcycle.registry import Registry, Rewritten
from modelcycle.signing import sign_rewritten
from modelcycle.spec import Pipeline, parse
from modelcycle.spec.sources import Csv, csv_of

Bucket = Literal["data", "artifacts"]
SHARED = ("captures/2", "captures-failed/", "landed/_quarantine/")  # with the lines of all models


class Erasing:
    """One call of `erase_objects`.

    Attributes
    ----------
    erasing : whether objects are changed; otherwise they are looked through
    kept : keys of tables that versions need: they are rewritten, never deleted
    csv : the pipeline file, which says how CSV files are written
    found : what the call has found
    looked_at, changed : objects, each version counts
    """

    def __init__(
        self, request: EraseObjectsRequest, work: Work, data: S3ErasingStore, artifacts: S3ErasingStore,
        registry: Registry, keys: KeyService | None, engine: Any, folder: Path,
    ) -> None:  # fmt: skip
        self.model, self.erasure = request.model, request.erasure
        self.erasing = request.phase == "erase"
        self.signing = keys if keys is not None and keys.signs else None
        self.work, self.registry, self.engine, self.folder = work, registry, engine, folder
        self.stores = {"data": data, "artifacts": artifacts}
        self.known = work.known()
        self.subjects = work.subjects(self.known, keys)
        self.traces = work.traces(self.known)
        self.versions = registry.versions.all(request.model)
        self.kept = references.kept_keys(self.versions, artifacts.bucket)
        self.csv = self._pipeline()
        self.found = Found()
        self.looked_at = self.changed = 0
        self.number = 0

    def replace(
        self, bucket: Bucket, store: S3ErasingStore, one: ObjectVersion, was: str, target: Path | None,
        live_now: str | None, metadata: Mapping[str, str],
    ) -> str | None:  # fmt: skip
        """Put other bytes in place of a version that is read, and delete it; return their hash, None if there are none.

        A version that was replaced before is deleted: what is read in its place is `live_now`.
        """
        now = (sha256(target) if target is not None else None) if one.latest else live_now
        self.keep_tombstone(Tombstone(bucket=bucket, key=one.key, was=was, now=now))
        owner = Artifact(uri=f"s3://{store.bucket}/{one.key}", sha256=was, bytes=0).owner
        sign = self._sign(f"s3://{store.bucket}/{one.key}") if bucket == "artifacts" else _unsigned
        size = target.stat().st_size if target is not None and one.latest else 0
        if one.latest and target is not None:
            self.registry.erasures.rewrite(owner, store.bucket, one.key, was, now, size, sign=sign)
            kept = {name: value for name, value in metadata.items() if name != "sha256"}
            written = store.rewrite(one, target, kept | {ERASURE: self.erasure})
            self.registry.erasures.rewrite(owner, store.bucket, one.key, was, now, size, written.etag, sign)
        elif one.latest:
            self.registry.erasures.rewrite(owner, store.bucket, one.key, was, None)
            store.hide(one)
        store.delete_version(one)
        return now

    def _sign(self, uri: str) -> Callable[[Rewritten], str]:
        """Return what signs that an object of a run gets other bytes: versions are made of such objects."""
        keys = self.signing
        if keys is None or f"/{self.model}/runs/" not in uri:
            return _unsigned
        return lambda rewritten: sign_rewritten(uri, rewritten, keys)

    @cached_property
    def ancestry(self) -> Ancestry:
        """What other erasures have made of the files from which versions learned."""
        return ancestry(self.work, self.stores["artifacts"])

    @cached_property
    def erased_keys(self) -> set[str]:
        """Keys of which a tombstone says that they were rewritten or deleted."""
        return {stone.key for stone in self.work.tombstones()}

    @cached_property
    def deleted_keys(self) -> set[str]:
        """Those of which one says that a version was deleted, and nothing put in its place."""
        return {stone.key for stone in self.work.tombstones() if stone.now is None}

    def keep_tombstone(self, stone: Tombstone) -> None:
        """Say what becomes of an object, before it does."""
        self.work.keep_tombstones([stone])
        self.erased_keys.add(stone.key)
        if stone.now is None:
            self.deleted_keys.add(stone.key)

    def remember(self, found: tables.RowsFound, place: Place | None) -> None:
        mine = Found(
            predictions=sorted(found.predictions), rows=found.rows[:1000],
            own={column: sorted(texts) for column, texts in found.own.items()},
            shared={column: sorted(texts) for column, texts in found.shared.items()},
        )  # fmt: skip
        self.found.add(mine)
        if place is not None:
            self.add_count(place.name, Count(rows=len(found.rows)))

    def count(self, place: Place, one: ObjectVersion) -> None:
        self.add_count(place.name, Count(objects=1, old=0 if one.latest else 1))

    def add_count(self, name: str, count: Count) -> None:
        self.found.add(Found(classes={name: count}))

    def path(self) -> Path:
        self.number += 1
        return self.folder / f"{self.number:06d}"

    def write(self, target: Path, body: bytes) -> bool:
        target.write_bytes(body)
        return True

    def names_of_snapshot(self, key: str) -> dict[str, str] | None:
        try:
            manifest = json.loads(self.stores["artifacts"].latest(f"{key.rpartition('/')[0]}/manifest.json")[0])
        except Unknown:
            return None
        return {name: f'"c{number}"' for number, name in enumerate(manifest["columns"])}

    def subjects_in(self, key: str) -> Subjects:
        """Return the subjects; in an object of all models, only lines that name this one are about them."""
        return replace(self.subjects, model=self.model) if key.startswith(SHARED) else self.subjects

    def csv_of(self, key: str) -> Csv:
        """Return what the pipeline file says of the CSV files of the source in whose folder an object lies."""
        if self.csv is None:
            return Csv()
        if key.startswith("landed/"):
            name = key.split("/")[2] if key.count("/") > 2 else ""
            return csv_of(self.csv.sources[name]) if name in self.csv.sources else Csv()
        return self.csv.csv

    def _pipeline(self) -> Pipeline | None:
        try:
            return parse(self.stores["data"].latest(f"pipelines/{self.model}.yaml")[0])
        except (Unknown, BadPipeline):
            return None


def _unsigned(rewritten: Rewritten) -> str:
    return ""


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
