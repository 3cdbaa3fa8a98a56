"""The manifests of compacted captures, and the Parquet files that they name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from pydantic import ValidationError

from cli.verification.findings import Findings
from cli.verification.objects import MAX_READS, Bucketed, Wanted, body_of
from modelcycle.captured.manifest import Manifest
from modelcycle.store import Store


def check_manifests(model: str, data: Store, objects: Bucketed, findings: Findings) -> dict[str, str]:
    """Check each manifest of a model and its files; return the SHA-256 of each manifest by its key."""
    keys = [one.key for one in data.list(f"compacted/model={model}/") if one.key.endswith("/manifest.json")]
    hashes, bucket = dict[str, str](), objects.buckets["data"]

    def read(key: str) -> list[Wanted]:
        body = body_of(objects.s3, bucket, key)
        findings.count("objects")
        findings.count("bytes", len(body))
        hashes[key] = hashlib.sha256(body).hexdigest()
        return list(_files(key, body, bucket, findings))

    with ThreadPoolExecutor(MAX_READS) as pool:
        wanted = [one for some in pool.map(read, keys) for one in some]
    objects.check(wanted)
    return hashes


def _files(key: str, body: bytes, bucket: str, findings: Findings) -> Iterator[Wanted]:
    where = f"s3://{bucket}/{key}"
    try:
        manifest = Manifest.model_validate_json(body)
    except ValidationError:
        findings.add(where, "the manifest cannot be read: it was changed")
        return
    if not manifest.digest:
        findings.note("manifests of captures from earlier releases have no digest of their own")
    elif manifest.to_bytes() != body:
        findings.add(where, "the manifest was changed: it does not match its digest")
    for part in manifest.parts:
        yield Wanted(bucket, f"{key.removesuffix('manifest.json')}{part.name}", "", part.sha256, where)
