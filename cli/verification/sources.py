"""What lists other objects: lineages, the manifests of snapshots and of landed rows, the tombstones of erasures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from cli.verification.findings import Findings
from cli.verification.objects import Bucketed, Tombstones, Wanted
from cli.verification.records import Records, artifacts_named
from modelcycle.messages import Artifact

LISTS = ("/collect/manifest.json", "/govern/lineage.json")
LANDED = "/_manifest-"  # in the key of what a source has landed
TOMBSTONES = "/tombstones.json"
ERASED = "erased"  # the decision in the audit trail


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
    content = json.loads(body)
    yield from ((found, wanted.where) for found in artifacts_named(content))
    manifests = [content, (content.get("data") or {}).get("objects")] if isinstance(content, dict) else []
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
    for body in sorted(erasures, key=lambda body: body.get("number") or 0):
        for artifact in artifacts_named(body.get("evidence")):
            if not artifact.uri.endswith(TOMBSTONES):  # the receipt, for instance
                continue
            content = objects.read(wanted_of(artifact, f"entry {body.get('number')} of the audit trail"))
            tombstones.complete &= content is not None
            for one in json.loads(content).get("erased", []) if content else []:
                bucket = objects.buckets.get(one["bucket"])
                if bucket is None:
                    findings.add(artifact.uri, "a tombstone names a bucket that is none of the stack's")
                else:
                    tombstones.add(bucket, one["key"], one["was"], one["now"])
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
    found = [*(manifest.get("objects") or []), *(manifest.get("corrections") or [])]
    return [entry for entry in found if isinstance(entry, dict) and {"key", "sha256"} <= entry.keys()]
