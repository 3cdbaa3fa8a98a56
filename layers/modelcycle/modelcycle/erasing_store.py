"""Port: a bucket in which an erasure and a sweep see, rewrite and delete every version of an object. Adapter: S3.

Only their roles may delete; no other function has this port.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from modelcycle.faults import NotAllowed, Raced, Unknown
from modelcycle.outages import RETRIED
from modelcycle.store import CHUNK_BYTES, NOT_FOUND, RACED, S3Store

MAX_CONCURRENT_DELETES = 8
REFUSED = frozenset({"AccessDenied", "403"})
ERASURE = "erasure"  # metadata of an object that an erasure has written: the erasure's id


class ObjectVersion(NamedTuple):
    """A version of an object, or a delete marker.

    Parameters
    ----------
    version : id; `null` in a bucket that keeps no versions
    latest : whether it is what a reader gets
    deleted : whether it is a delete marker
    modified : when it was written, seconds since 1970
    """

    key: str
    version: str
    latest: bool
    deleted: bool
    etag: str = ""
    bytes: int = 0
    modified: float = 0.0


class Rewriting(NamedTuple):
    """What an object is after it was rewritten."""

    version: str
    etag: str


class ErasingStore(Protocol):
    """One bucket, with the versions of its objects.

    Every method raises Transient if the service does not answer, and Throttled if it limits the rate.
    """

    @property
    def bucket(self) -> str:
        """The bucket's name."""

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        """Yield every version and delete marker under a prefix; those of one key follow each other, newest first."""

    def download_version(self, one: ObjectVersion, path: Path) -> Mapping[str, str]:
        """Download a version to `path`; return its metadata.

        Raises
        ------
        Unknown : it is gone
        NotAllowed : it lies in an area that an erasure may not read
        """

    def rewrite(self, one: ObjectVersion, body: bytes | Path, metadata: Mapping[str, str]) -> Rewriting:
        """Replace an object as a whole, if `one` is still what a reader gets.

        Raises
        ------
        Raced : another writer has replaced it
        """

    def hide(self, one: ObjectVersion) -> None:
        """Put a delete marker on an object: no reader gets an older version when the newest one is deleted.

        Raises
        ------
        Raced : `one` is not what a reader gets any more; what is, stays
        """

    def delete_version(self, one: ObjectVersion) -> None:
        """Delete a version or delete marker for good. One that is gone already is no error."""

    def digest(self, one: ObjectVersion) -> str | None:
        """Return the SHA-256 of a version, as its writer has recorded it; None if it is gone."""

    def delete(self, versions: Sequence[ObjectVersion]) -> int:
        """Delete versions for good, those of one key in their order; return how many could not be deleted."""


class S3ErasingStore(S3Store):
    """An S3 bucket with versions."""

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        request: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix}
        pending: list[ObjectVersion] = []  # of the last key of a page: the next page may have more of it
        while True:
            with self._outages(prefix):
                page = self.client.list_object_versions(**request)
            pending += [_version(entry, deleted=True) for entry in page.get("DeleteMarkers", [])]
            pending += [_version(entry, deleted=False) for entry in page.get("Versions", [])]
            more = bool(page.get("IsTruncated"))
            last = max((one.key for one in pending), default="") if more else None
            # the sort is stable: of one second, the order is that of S3
            yield from sorted(
                (one for one in pending if one.key != last), key=lambda one: (one.key, not one.latest, -one.modified)
            )
            pending = [one for one in pending if one.key == last]
            if not more:
                return
            request |= {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def download_version(self, one: ObjectVersion, path: Path) -> Mapping[str, str]:
        try:
            with self._outages(one.key):
                response = self.client.get_object(Bucket=self.bucket, Key=one.key, VersionId=one.version)
                with path.open("wb") as file:
                    for chunk in response["Body"].iter_chunks(CHUNK_BYTES):
                        file.write(chunk)
        except self.client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in NOT_FOUND:
                raise Unknown("the version is gone", f"s3://{self.bucket}/{one.key}", RETRIED) from error
            if error.response["Error"]["Code"] == "AccessDenied":
                raise NotAllowed(
                    "an erasure may not read it", f"s3://{self.bucket}/{one.key}", "is it a new area?"
                ) from error
            raise
        metadata: dict[str, str] = response.get("Metadata", {})
        return metadata

    def rewrite(self, one: ObjectVersion, body: bytes | Path, metadata: Mapping[str, str]) -> Rewriting:
        try:
            with ExitStack() as stack:
                content = io.BytesIO(body) if isinstance(body, bytes) else stack.enter_context(body.open("rb"))
                digest = hashlib.file_digest(content, "sha256").hexdigest()
                content.seek(0)
                stack.enter_context(self._outages(one.key))
                response = self.client.put_object(
                    Bucket=self.bucket, Key=one.key, Body=content, IfMatch=one.etag,
                    Metadata={**metadata, "sha256": digest},
                )  # fmt: skip
        except self.client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in RACED | NOT_FOUND:
                raise _raced(self.bucket, one.key) from error
            raise
        return Rewriting(response.get("VersionId", "null"), response["ETag"].strip('"'))

    def hide(self, one: ObjectVersion) -> None:
        before = {known.version: known for known in self.versions(one.key) if known.key == one.key}
        if one.version not in before or not before[one.version].latest:
            raise _raced(self.bucket, one.key)
        try:
            with self._outages(one.key):
                # AWS page "How to perform conditional deletes"
                marker = self.client.delete_object(Bucket=self.bucket, Key=one.key, IfMatch=one.etag).get("VersionId")
        except self.client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in RACED | NOT_FOUND:
                raise _raced(self.bucket, one.key) from error
            raise
        # another service than AWS may ignore the condition
        after = {known.version: known for known in self.versions(one.key) if known.key == one.key}
        arrived = after.keys() - before.keys() - {marker}
        if marker in after and after[marker].latest and arrived:
            self.delete_version(after[marker])
            raise _raced(self.bucket, one.key)

    def delete_version(self, one: ObjectVersion) -> None:
        with self._outages(one.key):
            self.client.delete_object(Bucket=self.bucket, Key=one.key, VersionId=one.version)

    def digest(self, one: ObjectVersion) -> str | None:
        request = {"Bucket": self.bucket, "Key": one.key, "VersionId": one.version}
        try:
            with self._outages(one.key):
                response = self.client.get_object(**request)
                recorded: str | None = response["Metadata"].get("sha256")
                if recorded:
                    response["Body"].close()
                    return recorded
                digest = hashlib.sha256()
                for chunk in response["Body"].iter_chunks(CHUNK_BYTES):
                    digest.update(chunk)
                return digest.hexdigest()
        except self.client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in NOT_FOUND or isinstance(self._fault(error, one.key), Unknown):
                return None
            raise self._fault(error, one.key) from error

    def delete(self, versions: Sequence[ObjectVersion]) -> int:
        # one request a version: a role is then allowed versions only, and a local cloud checks the same
        by_key = [list(group) for _, group in groupby(versions, lambda one: one.key)]
        with ThreadPoolExecutor(MAX_CONCURRENT_DELETES) as pool:
            return sum(pool.map(self._delete_in_order, by_key))

    def _delete_in_order(self, versions: Sequence[ObjectVersion]) -> int:
        for done, one in enumerate(versions):
            try:
                self.delete_version(one)
            except self.client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in REFUSED:  # such as an object that is locked
                    return len(versions) - done
                raise self._fault(error, one.key) from error
        return 0


def _raced(bucket: str, key: str) -> Raced:
    return Raced("another writer was faster", f"s3://{bucket}/{key}", RETRIED)


def _version(entry: Mapping[str, Any], *, deleted: bool) -> ObjectVersion:
    return ObjectVersion(
        entry["Key"], entry.get("VersionId") or "null", bool(entry["IsLatest"]), deleted,
        entry.get("ETag", "").strip('"'), entry.get("Size", 0), entry["LastModified"].timestamp(),
    )  # fmt: skip
