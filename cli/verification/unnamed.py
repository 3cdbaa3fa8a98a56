"""Objects of a model that no record names: each against the checksum that was stored with it.

Such are the reports of single trials, the answers on record, and what a killed step has left. Whoever can write an
object can write its checksum too: this finds accidents, not forgeries.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from cli.verification.findings import Findings
from cli.verification.objects import MAX_READS, UNREAD, Bucketed
from modelcycle.messages.artifact import HOLDOUT_PARTS
from modelcycle.store import S3Store


def check_unnamed(model: str, objects: Bucketed, findings: Findings) -> None:
    """Check the objects of a model in the artifact bucket that were not checked yet."""
    bucket = objects.buckets["artifacts"]
    store = S3Store(objects.s3, bucket)
    prefixes = [f"{model}/", *(f"holdout/{part}/{model}/" for part in HOLDOUT_PARTS)]
    keys = [
        one.key
        for prefix in prefixes for one in store.list(prefix)
        # the request of an erasure names a person: who verifies may not read it
        if (bucket, one.key) not in objects.seen and not one.key.startswith(f"{model}/erasures/")
    ]  # fmt: skip

    def check(key: str) -> None:
        found = objects.sha256(bucket, key)
        if found is None or found == UNREAD:
            return
        findings.count("objects")
        findings.count("unnamed")
        recorded = objects.s3.head_object(Bucket=bucket, Key=key)["Metadata"].get("sha256")
        if recorded is not None and recorded != found:
            findings.add(f"s3://{bucket}/{key}", "the object was changed: it does not match its own checksum")

    with ThreadPoolExecutor(MAX_READS) as pool:
        list(pool.map(check, keys))
