"""Delete what is older than the section `retention` of a model's pipeline file allows."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby, islice
from typing import Any

from modelcycle.expiring_store import ExpiringStore, OldVersion
from modelcycle.faults import BadInput, Tampered, Unknown
from modelcycle.messages import Artifact, SweepRequest, Swept
from modelcycle.registry import Entry, Registry, keys
from modelcycle.spec import Pipeline, parse
from modelcycle.store import ChangingStore, Store, put_json
from modelcycle.sweep.areas import Area, areas_of, run_of, runs_named
from modelcycle.sweep.landings import forget_landed, landed_keys_that_stay

BATCH_VERSIONS = 1000  # that one entry of the audit trail tells of


def sweep(
    request: SweepRequest, *, buckets: Mapping[str, ExpiringStore], data: ChangingStore, artifacts: Store,
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
    has_time : whether the function may go on; the next sweep does the rest

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
            needed = _needed_runs(model, registry, artifacts)
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
            while batch := list(islice(old, BATCH_VERSIONS)):
                if not has_time():
                    left.append(model)
                    break
                if area.kind == "landed":
                    forget_landed(model, {one.key for one in batch}, pipeline, data, registry.landings)
                failed += _delete(model, area, batch, buckets[area.bucket], artifacts, registry, pipeline)
                deleted[area.kind] += len(batch)
    return Swept(models=models, deleted=dict(deleted), failed=failed, left=sorted({*left}))


def _pipeline(model: str, data: ChangingStore) -> Pipeline | None:
    """Return the pipeline file as it is now; None if it cannot be read: then nothing is deleted."""
    try:
        found = data.current(f"pipelines/{model}.yaml")
        return parse(found[0]) if found is not None else None
    except BadInput:
        return None


def _needed_runs(model: str, registry: Registry, artifacts: Store) -> set[str]:
    """Return the runs whose files stay: of versions with traffic, of the one that would follow, and runs that go on.

    A version may consist of results that earlier runs have made: its record and its lineage name them.
    """
    route = registry.routes.get(model)
    numbers = {*route.weights, route.previous, route.shadow, registry.versions.newest(model)} - {None}
    needed = {record.run.run_id for record in registry.runs.latest(model) if record.state == "running"}
    for number in numbers:
        assert number is not None
        try:
            version = registry.versions.get(model, number)
        except Unknown:
            continue
        texts = [version.model_dump_json()]
        with suppress(Unknown):
            texts.append(artifacts.read(version.lineage).decode())
        needed |= {version.run_id, *runs_named(model, texts)}
    return needed


def _old_versions(
    store: ExpiringStore, area: Area, limit: float, needed: set[str], stay: set[str]
) -> Iterator[OldVersion]:
    """Yield what is older than the limit, of one key the oldest first: no older version becomes the current one."""
    for key, versions in groupby(store.versions(area.prefix), lambda one: one.key):
        if key in stay or run_of(key) in needed or (area.only and not key.endswith(area.only)):
            continue
        yield from (one for one in versions if one.modified < limit)


def _delete(
    model: str, area: Area, batch: list[OldVersion], store: ExpiringStore, artifacts: Store, registry: Registry,
    pipeline: Pipeline,
) -> int:  # fmt: skip
    """Write down what is deleted, then delete it; return how many versions are still there."""
    erased: list[dict[str, Any]] = [
        {"bucket": area.bucket, "key": one.key, "was": digest, "now": None}
        for one in batch
        if not one.is_marker and (digest := store.digest(one)) is not None
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
    return store.delete(batch)
