"""The daily seals: their own chain, their signatures, and what they say of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from typing import Any

from pydantic import ValidationError

from cli.verification.findings import Findings
from cli.verification.objects import MAX_READS, Tombstones, body_of
from modelcycle.faults import Fault
from modelcycle.key_service import KeyService
from modelcycle.registry import keys
from modelcycle.registry.chain import BEFORE_THE_FIRST
from modelcycle.seal import DailySeal, seal_key

PREFIX = "seals/"
SEALS_AT_ONCE = 64  # in memory
MAX_UNSEALED = timedelta(
    days=2, hours=1
)  # since the end of the last day with a seal; a seal is made half an hour after
UNSIGNED = "the seal has no signature, and the stack has a key that signs"


def check_seals(
    s3: Any, bucket: str, model: str, entries: Mapping[int, str], manifests: Mapping[str, str] | None,
    signing: KeyService, tombstones: Tombstones, data_bucket: str, findings: Findings, now: datetime | None = None,
    is_always_on: bool = True,
) -> None:  # fmt: skip
    """Check all seals, and the model's trail and manifests against them.

    Of a seal that was written again, the first version counts: Object Lock keeps it.

    Parameters
    ----------
    entries : hash of each audit entry, by its number
    manifests : SHA-256 of each manifest of compacted captures, by its key; None: they are not checked
    now : by default the present
    is_always_on : whether the place has had the time to seal each day; a local cloud is down while its machine is
    """
    at = now or datetime.now(UTC)
    told = set[int]()  # entries of which a seal was told to know better
    previous = BEFORE_THE_FIRST
    newest: DailySeal | None = None
    newest_where, signed_before = "", False
    for where, body in _bodies(s3, bucket, findings):
        findings.count("seals")
        hashed = hashlib.sha256(body).hexdigest()
        try:
            seal = DailySeal.model_validate_json(body)
        except ValidationError:
            findings.add(where, "the seal cannot be read: it was changed")
            previous = hashed
            continue
        if seal.previous != previous:
            findings.add(where, "the seal does not follow the one before: that one was changed or is gone")
        if seal.to_bytes() != body:
            findings.add(where, "the seal was changed: it is not written as seals are")
        if not where.endswith(f"/{seal_key(seal.day)}"):
            findings.add(where, f"the seal is that of another day, {seal.day}")
        if seal.day >= at.astimezone(UTC).date():
            findings.add(where, "the seal is of a day that has not ended: the stack has not made it")
            previous = hashed
            continue
        _check_signature(seal, where, signing, findings)
        _check_trail(seal, model, entries, told, where, findings)
        if manifests is not None:
            _check_manifests(seal, model, manifests, tombstones, data_bucket, where, findings)
        if signing.signs and signed_before and not seal.signature:
            findings.add(where, f"{UNSIGNED}: earlier seals have one")
        signed_before = signed_before or bool(seal.signature)
        previous, newest, newest_where = hashed, seal, where
    if newest is None:
        findings.note("the trail was not sealed yet: entries that were cut off at its end since would not be found")
        return
    findings.note(f"the trail is sealed up to the end of {newest.day}")
    if signing.signs and not signed_before:
        findings.add(newest_where, f"{UNSIGNED}: if the key is new, the next seal has one")
    if is_always_on and at - datetime.combine(newest.day + timedelta(days=1), time(), UTC) > MAX_UNSEALED:
        missing = (
            "later seals are gone, or none were made: see the function Seal; its next call makes up for those days"
        )
        findings.add(newest_where, f"this is the newest seal, and a day has one every day: {missing}")


def _bodies(s3: Any, bucket: str, findings: Findings) -> Iterator[tuple[str, bytes]]:
    """Yield each seal as it was first written, the oldest day first."""
    first: dict[str, tuple[str, Any]] = {}
    again: set[str] = set()
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=PREFIX):
        for version in page.get("Versions", []):
            key, at = version["Key"], version["LastModified"]
            if key in first:
                again.add(key)
            if key not in first or at <= first[key][1]:
                first[key] = (version["VersionId"], at)
        again.update(marker["Key"] for marker in page.get("DeleteMarkers", []))
    for key in sorted(again):
        findings.add(f"s3://{bucket}/{key}", "the seal was written again or deleted; its first version counts")
    names = sorted(first)

    def read(key: str) -> bytes:
        return body_of(s3, bucket, key, VersionId=first[key][0])

    with ThreadPoolExecutor(MAX_READS) as pool:
        for start in range(0, len(names), SEALS_AT_ONCE):
            some = names[start : start + SEALS_AT_ONCE]
            yield from ((f"s3://{bucket}/{key}", body) for key, body in zip(some, pool.map(read, some), strict=True))


def _check_signature(seal: DailySeal, where: str, signing: KeyService, findings: Findings) -> None:
    from botocore.exceptions import ClientError

    if not seal.signature:
        findings.count("unsigned")
        return
    if not signing.signs:
        findings.note("signatures of seals were not checked: the stack has no key that signs any more")
        return
    try:
        genuine = signing.verify(seal.digest, seal.signature_bytes)
    except ValueError:  # no Base64
        genuine = False
    except Fault as fault:
        findings.note(f"signatures of seals were not checked: {fault.what}")
        return
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException"):
            raise
        findings.note("signatures of seals were not checked: you may not use the key that signs (kms:Verify)")
        return
    if not genuine:
        findings.add(where, "the seal was changed: its signature is not genuine")


def _check_trail(
    seal: DailySeal, model: str, entries: Mapping[int, str], told: set[int], where: str, findings: Findings
) -> None:  # fmt: skip
    head = seal.heads.get(model)
    if head is None or head.number in told or entries.get(head.number) == head.hash:
        return
    told.add(head.number)
    entry = f"{keys.audit_head(model).pk} entry {head.number}"
    if head.number not in entries:
        findings.add(entry, f"the entry is missing; {where} knows it")
    else:
        findings.add(entry, f"the entry is another one than {where} knows")


def _check_manifests(
    seal: DailySeal, model: str, manifests: Mapping[str, str], tombstones: Tombstones, bucket: str, where: str,
    findings: Findings,
) -> None:  # fmt: skip
    sealed = seal.captures.get(model)
    for key, hashed in sealed.manifests.items() if sealed else ():
        due: str | None = hashed
        while due is not None and (bucket, key, due) in tombstones.now:
            due = tombstones.now[bucket, key, due]
        found = manifests.get(key)
        if found is None:
            findings.count("expired")  # the bucket's lifecycle deletes captures
        elif found != due:
            findings.add(f"s3://{bucket}/{key}", f"the manifest was changed since {where} was made")
