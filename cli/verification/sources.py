"""What lists other objects: lineages, the manifests of snapshots and of landed rows, the tombstones of erasures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError

from cli.verification.chain import number_of
from cli.verification.findings import Findings
from cli.verification.objects import Bucketed, Tombstones, Wanted
from cli.verification.records import Records, artifacts_named
from modelcycle.messages import Artifact

LISTS = ("/collect/manifest.json", "/govern/lineage.json")
LANDED = "/_manifest-"  # in the key of what a source has landed
TOMBSTONES = "/tombstones.json"
ERASED = "erased"  # the decision in the audit trail


class _Stone(BaseModel):
    bucket: str
    key: str
    was: str
    now: str | None


class _Stones(BaseModel):
    erased: list[_Stone] = []


def wanted_of(artifact: Artifact, named_by: str) -> Wanted:
    """Return the object of an artifact."""
    bucket, _, key = artifact.uri.removeprefix("s3://").partition("/")
    return Wanted(bucket, key, "", artifact.sha256, named_by)


def lists_others(artifact: Artifact) -> bool:
    """Return whether an artifact is JSON that names further objects."""
    return artifact.uri.endswith(LISTS) or (LANDED in artifact.uri and artifact.uri.endswith(".json"))


def listed_objects(
    artifact: Artifact, named_by: str, objects: Bucketed
) -> Iterator[tuple[Artifact, str] | Wanted]:  # fmt: skip
    """Yield what a list names, artifacts and files of people; nothing if its own bytes are wrong, which is noted."""
    wanted = wanted_of(artifact, named_by)
    body = objects.read(wanted)
    if body is None:
        return
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):  # of a forged record, which names other bytes
        objects.findings.add(wanted.where, f"it is no list of objects; {named_by} names it as one")
        return
    yield from ((found, wanted.where) for found in artifacts_named(content))
    data = content.get("data") if isinstance(content, dict) else None
    manifests = [content, data.get("objects") if isinstance(data, dict) else None]
    for manifest in manifests:
        for entry in _entries(manifest):
            version = entry.get("version")
            version = version if isinstance(version, str) and version != "null" else ""
            yield Wanted(objects.buckets["data"], str(entry["key"]), version, str(entry["sha256"]), wanted.where)


def read_tombstones(records: Records, objects: Bucketed, findings: Findings) -> Tombstones:
    """Return what the erasures of the audit trail have changed.

    Entries are read in their order, so what several erasures have changed is a chain.
    """
    tombstones = Tombstones()
    erasures = (body for body in records.entries.values() if body.get("decision") == ERASED)
    for body in sorted(erasures, key=number_of):
        for artifact in artifacts_named(body.get("evidence")):
            if not artifact.uri.endswith(TOMBSTONES):  # the receipt, for instance
                continue
            content = objects.read(wanted_of(artifact, f"entry {body.get('number')} of the audit trail"))
            if content is None:
                tombstones.complete = False
                continue
            try:
                stones = _Stones.model_validate_json(content)
            except ValidationError:
                findings.add(artifact.uri, "the tombstones cannot be read: they are not written as an erasure does")
                tombstones.complete = False
                continue
            for one in stones.erased:
                bucket = objects.buckets.get(one.bucket)
                if bucket is None:
                    findings.add(artifact.uri, "a tombstone names a bucket that is none of the stack's")
                else:
                    tombstones.add(bucket, one.key, one.was, one.now)
    return tombstones


def check_rewritten(records: Records, tombstones: Tombstones, findings: Findings) -> None:
    """Check that what readers take for the work of an erasure is such: they follow the records `OBJECT#`."""
    if not tombstones.complete:  # a fault, or a note of this person's rights, by now
        return
    for (bucket, key), (name, rewritten) in records.rewritten.items():
        if (bucket, key, rewritten.now) not in tombstones.results:
            findings.add(name, "it says that an erasure has changed an object, and no erasure of the audit trail has")


def _entries(manifest: Any) -> Iterable[dict[str, Any]]:
    if not isinstance(manifest, dict):
        return []
    lists = [manifest.get("objects"), manifest.get("corrections")]
    found = [entry for some in lists if isinstance(some, list) for entry in some]
    return [entry for entry in found if isinstance(entry, dict) and {"key", "sha256"} <= entry.keys()]
