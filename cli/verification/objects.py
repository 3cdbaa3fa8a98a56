"""Objects in the buckets: whether they have the bytes that a record, a manifest or a lineage names."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from cli.verification.findings import Findings
from modelcycle.store import CHUNK_BYTES, NOT_FOUND

MAX_READS = 16  # objects at a time, each in pieces of CHUNK_BYTES
# what the buckets' lifecycle deletes by itself (infra/storage.yaml)
SHORT_LIVED = ("_scoring/", "_monitoring/", "score/", "scored/", "captures/", "compacted/", "landed/_batches/")
MAX_KEY_BYTES = 1024  # AWS page "Naming Amazon S3 objects"
CHANGED = "the object was changed: its bytes are not those that were recorded"
GONE = "the object is gone"
UNREAD = "unread"


class Wanted(NamedTuple):
    """An object, and the SHA-256 that its bytes must have.

    Parameters
    ----------
    version : the object version; empty: the current one
    named_by : where it is named
    """

    bucket: str
    key: str
    version: str
    sha256: str
    named_by: str

    @property
    def where(self) -> str:
        return f"s3://{self.bucket}/{self.key}" + (f" (version {self.version})" if self.version else "")


class Tombstones:
    """What erasures have changed: the hash that an object has to have now, by the one that it had."""

    def __init__(self) -> None:
        self.now: dict[tuple[str, str, str], str | None] = {}
        self.results: set[tuple[str, str, str | None]] = set()  # bucket, key and what an erasure has left of it
        self.complete = True  # whether all lists of erasures could be read

    def add(self, bucket: str, key: str, was: str, now: str | None) -> None:
        self.now[bucket, key, was] = now
        self.results.add((bucket, key, now))

    def after(self, wanted: Wanted) -> str | None:
        """Return the hash that the object has to have after all erasures; None if it has to be gone."""
        sha256: str | None = wanted.sha256
        seen = set()
        while sha256 is not None and sha256 not in seen and (wanted.bucket, wanted.key, sha256) in self.now:
            seen.add(sha256)
            sha256 = self.now[wanted.bucket, wanted.key, sha256]
        return sha256


class Bucketed:
    """Reads objects of a place and checks them.

    Parameters
    ----------
    s3 : boto3's client
    buckets : those of the stack, by what they hold: data, artifacts
    """

    def __init__(self, s3: Any, buckets: Mapping[str, str], tombstones: Tombstones, findings: Findings) -> None:
        self.s3 = s3
        self.buckets = dict(buckets)
        self.tombstones = tombstones
        self.findings = findings
        self.seen: set[tuple[str, str]] = set()  # bucket and key of what was checked

    def sha256(self, bucket: str, key: str) -> str | None:
        """Return the hash of an object's bytes; None if it is gone, UNREAD if this person may not read it."""
        return self._sha256(Wanted(bucket, key, "", "", ""), None)

    def check(self, wanted: Iterable[Wanted]) -> None:
        """Check objects, some at a time."""
        with ThreadPoolExecutor(MAX_READS) as pool:
            list(pool.map(self._check, wanted))

    def read(self, wanted: Wanted) -> bytes | None:
        """Return the bytes of one object, checked; None if they are wrong, which is noted."""
        parts: list[bytes] = []
        return b"".join(parts) if self._check(wanted, parts) else None

    def _check(self, wanted: Wanted, parts: list[bytes] | None = None) -> bool:
        if not 0 < len(wanted.key.encode(errors="replace")) <= MAX_KEY_BYTES:
            self.findings.add(wanted.named_by, f"it names no object: {wanted.where[:100]}")
            return False
        if wanted.bucket not in self.buckets.values():
            self.findings.add(wanted.named_by, f"it names an object outside the stack's buckets: {wanted.where}")
            return False
        self.seen.add((wanted.bucket, wanted.key))
        due = self.tombstones.after(wanted)
        # an erasure deletes all versions of an object, and puts a new one in their place
        found = self._sha256(wanted if due == wanted.sha256 else wanted._replace(version=""), parts)
        if found == UNREAD:
            return False
        self.findings.count("objects")
        if due != wanted.sha256:
            return self._check_erased(wanted, due, found)
        if found is None:
            if wanted.key.startswith(SHORT_LIVED):
                self.findings.count("expired")
            else:
                self.findings.add(wanted.where, f"{GONE}; {wanted.named_by} names it")
            return False
        if found != wanted.sha256:
            self.findings.add(wanted.where, CHANGED)
        return found == wanted.sha256

    def _check_erased(self, wanted: Wanted, due: str | None, found: str | None) -> bool:
        self.findings.count("erased")
        if found == wanted.sha256 and wanted.key.startswith("raw/"):
            model = wanted.key.split("/")[1]
            self.findings.add(
                f"s3://{wanted.bucket}/{wanted.key}",
                "somebody has uploaded the file again as it was before an erasure, so the erased rows are back; erase"
                f" them again: modelcycle erase {model} --subject COLUMN=VALUE",
            )
        elif found == wanted.sha256:
            self.findings.add(wanted.where, "the object is as it was before an erasure: that is not over, or failed")
        elif found == due:
            return found is not None
        elif wanted.version:  # a source: people may write another file under its name
            self.findings.note("files of the data bucket were written again after an erasure; these were not verified")
        elif found is None:
            self.findings.add(wanted.where, f"{GONE}; an erasure had replaced it")
        else:
            self.findings.add(wanted.where, "the object was changed after an erasure replaced or removed it")
        return False

    def _sha256(self, wanted: Wanted, parts: list[bytes] | None) -> str | None:
        """Return the hash of an object's bytes; None if it is gone, UNREAD if this person may not read it."""
        from botocore.exceptions import ClientError, FlexibleChecksumError

        request = {"Bucket": wanted.bucket, "Key": wanted.key} | (
            {"VersionId": wanted.version} if wanted.version else {}
        )
        hashed = hashlib.sha256()
        try:
            body = self.s3.get_object(**request)["Body"]
            while chunk := body.read(CHUNK_BYTES):
                hashed.update(chunk)
                self.findings.count("bytes", len(chunk))
                if parts is not None:
                    parts.append(chunk)
        except FlexibleChecksumError:  # S3 knows another checksum of these bytes
            return ""
        except ClientError as error:
            code = error.response["Error"]["Code"]
            # the version is a delete marker, or no version at all
            if code in NOT_FOUND or code in ("MethodNotAllowed", "InvalidArgument"):
                return None
            if code in ("AccessDenied", "403"):
                self.findings.count("unread")
                folder = "/".join(wanted.key.split("/")[:2])
                self.findings.note(f"you may not read objects in {folder}/: they were not verified")
                return UNREAD
            raise
        return hashed.hexdigest()


def body_of(s3: Any, bucket: str, key: str, **version: str) -> bytes:
    """Return the bytes of an object that is read as a whole; none if S3 itself finds that they were changed."""
    from botocore.exceptions import FlexibleChecksumError

    try:
        content: bytes = s3.get_object(Bucket=bucket, Key=key, **version)["Body"].read()
    except FlexibleChecksumError:
        return b""
    return content


def distinct(wanted: Iterable[Wanted]) -> Collection[Wanted]:
    """Return each object and hash once, with the first place that names it."""
    first: dict[tuple[str, str, str, str], Wanted] = {}
    for one in wanted:
        first.setdefault(one[:4], one)
    return list(first.values())
