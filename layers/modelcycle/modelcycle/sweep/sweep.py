"""Delete what is older than the section `retention` of a model's pipeline file allows."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, NamedTuple

from modelcycle.erasing_store import ErasingStore, ObjectVersion
from modelcycle.faults import BadInput, Tampered, Unknown
from modelcycle.messages import Artifact, SweepRequest, Swept
from modelcycle.registry import Entry, Registry, keys
from modelcycle.spec import Pipeline, parse
from modelcycle.store import ChangingStore, Store, put_json
from modelcycle.sweep.areas import Area, areas_of, run_of, runs_named, version_of
from modelcycle.sweep.landings import forget_landed, landed_keys_that_stay

BATCH_VERSIONS = 1000  # that one entry of the audit trail tells of
MAX_BATCH_BYTES = 4 * 1024**3  # that may have to be read for their hashes: what is read before a fault is read again


def sweep(
    request: SweepRequest, *, buckets: Mapping[str, ErasingStore], data: ChangingStore, artifacts: Store,
    registry: Registry, has_time: Callable[[], bool] = lambda: True,
) -> Swept:  # fmt: skip
    """Delete old objects of all models, with all versions; what a version with traffic needs stays.

    Each batch is first written down: its tombstones, by which `modelcycle verify` knows what is missing rightly, and an
    entry of the audit trail. Killed between that and the end, the next sweep deletes the rest. Safe to repeat.

    It also takes entries of an earlier release into the chain, see `Audit.adopt`: it sees every trail once a day.

    Parameters
    ----------
    buckets : data and artifacts, of which objects are deleted
    data, artifacts : the same buckets, to read pipeline files and write tombstones
    has_time : whether the function may go on, asked before each object is hashed; what is hashed is written down and
        deleted, and the next sweep does the rest

    Raises
    ------
    Transient, Throttled : a service does not answer
    """
    now = (request.at or datetime.now(UTC)).astimezone(UTC)
    deleted: Counter[str] = Counter()
    left: list[str] = []
    failed = models = 0
    for model in registry.runs.models() if request.models == "all" else request.models:
        if has_time():
            registry.audit.adopt(model)
        pipeline = _pipeline(model, data)
        if pipeline is None:
            left.append(model)
            continue
        limits = {kind: now.timestamp() - seconds for kind, seconds in pipeline.retention.seconds().items()}
        if not limits:
            continue
        models += 1
        try:
            needed = _needed(model, registry, artifacts)
        except Tampered:  # nobody knows what its versions need; the others go on
            left.append(model)
            continue
        for area in areas_of(model):
            if area.kind not in limits:
                continue
            stay: set[str] = set()
            if area.kind == "landed":
                stay = landed_keys_that_stay(model, pipeline, data, registry.landings)
            old = _old_versions(buckets[area.bucket], area, limits[area.kind], needed, stay)
            store, is_over = buckets[area.bucket], False
            while not is_over:
                batch, is_over = _hashed_batch(old, store, has_time)
                if is_over:
                    left.append(model)
                if not batch:
                    break
                if area.kind == "landed":
                    forget_landed(model, {one.key for one, _ in batch}, pipeline, data, registry.landings)
                failed += _delete(model, area, batch, store, artifacts, registry, pipeline)
                deleted[area.kind] += len(batch)
    return Swept(models=models, deleted=dict(deleted), failed=failed, left=sorted({*left}))


def _pipeline(model: str, data: ChangingStore) -> Pipeline | None:
    """Return the pipeline file as it is now; None if it cannot be read: then nothing is deleted."""
    try:
        found = data.current(f"pipelines/{model}.yaml")
        return parse(found[0]) if found is not None else None
    except BadInput:
        return None


class _Needed(NamedTuple):
    """What stays: runs, and versions with what staging keeps of them."""

    runs: set[str]
    versions: set[int]

    def has(self, key: str) -> bool:
        return run_of(key) in self.runs or version_of(key) in self.versions


def _needed(model: str, registry: Registry, artifacts: Store) -> _Needed:
    """Return whose files stay: of versions with traffic, of the one that would follow, and of runs that go on.

    A version may consist of results that earlier runs have made: its record and its lineage name them.
    """
    route = registry.routes.get(model)
    named = {*route.weights, route.previous, route.shadow, registry.versions.newest(model)}
    numbers = {number for number in named if number is not None}
    needed = {record.run.run_id for record in registry.runs.latest(model) if record.state == "running"}
    for number in numbers:
        try:
            version = registry.versions.get(model, number)
        except Unknown:
            continue
        texts = [version.model_dump_json()]
        with suppress(Unknown):
            texts.append(artifacts.read(version.lineage).decode())
        needed |= {version.run_id, *runs_named(model, texts)}
    return _Needed(needed, numbers)


def _old_versions(
    store: ErasingStore, area: Area, limit: float, needed: _Needed, stay: set[str]
) -> Iterator[ObjectVersion]:
    """Yield what is older than the limit, of one key the oldest first: no older version becomes the current one."""
    for key, versions in groupby(store.versions(area.prefix), lambda one: one.key):
        if key in stay or needed.has(key) or (area.only and not key.endswith(area.only)):
            continue
        yield from (one for one in reversed([*versions]) if one.modified < limit)


def _hashed_batch(
    old: Iterator[ObjectVersion], store: ErasingStore, has_time: Callable[[], bool]
) -> tuple[list[tuple[ObjectVersion, str | None]], bool]:
    """Return the next versions with their SHA-256, and whether time is over.

    An upload has no recorded hash and is read for it: a batch ends with the time, and what it has is used.
    """
    batch: list[tuple[ObjectVersion, str | None]] = []
    read = 0
    for one in old:
        if not has_time():
            return batch, True
        batch.append((one, None if one.deleted else store.digest(one)))
        read += one.bytes
        if len(batch) == BATCH_VERSIONS or read >= MAX_BATCH_BYTES:
            break
    return batch, False


def _delete(
    model: str, area: Area, batch: list[tuple[ObjectVersion, str | None]], store: ErasingStore, artifacts: Store,
    registry: Registry, pipeline: Pipeline,
) -> int:  # fmt: skip
    """Write down what is deleted, then delete it; return how many versions are still there."""
    erased: list[dict[str, Any]] = [
        {"bucket": area.bucket, "key": one.key, "was": digest, "now": None}
        for one, digest in batch
        if digest is not None
    ]
    content = {"schema": 1, "erased": sorted(erased, key=lambda one: (one["key"], one["was"]))}
    name = f"retention-{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]}"
    if erased:
        tombstones: Artifact = put_json(artifacts, f"{model}/erasures/{name}/tombstones.json", content)
        registry.audit.add(
            model, keys.decision_to_sweep(name),
            Entry(
                subject=f"{area.kind} of {model}", decision="erased", by="retention",
                why=f"older than {getattr(pipeline.retention, area.kind)}",
                evidence={"tombstones": tombstones.model_dump(mode="json"), "objects": len(erased)},
            ),
        )  # fmt: skip
    return store.delete([one for one, _ in batch])
