"""Port: a bucket of which old objects are deleted for good, with all their versions. Adapter: S3."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from modelcycle.faults import Unknown
from modelcycle.store import CHUNK_BYTES, NOT_FOUND, S3Store

MAX_CONCURRENT_DELETES = 8
REFUSED = frozenset({"AccessDenied", "403"})


class OldVersion(NamedTuple):
    """A version of an object, or a delete marker.

    Parameters
    ----------
    modified : when it was written, seconds since 1970
    is_marker : whether it is a delete marker
    bytes : its size
    """

    key: str
    version: str
    modified: float
    is_marker: bool = False
    bytes: int = 0


class ExpiringStore(Protocol):
    """One bucket. Every method raises Transient if the service does not answer, and Throttled if it limits the rate."""

    @property
    def bucket(self) -> str:
        """The bucket's name."""

    def versions(self, prefix: str) -> Iterator[OldVersion]:
        """Yield every version and delete marker under a prefix; those of one key follow each other, oldest first."""

    def digest(self, one: OldVersion) -> str | None:
        """Return the SHA-256 of a version; None if it is gone."""

    def delete(self, versions: Sequence[OldVersion]) -> int:
        """Delete versions for good, in order; return how many could not be deleted."""


class S3ExpiringStore(S3Store):
    """An S3 bucket with versions."""

    def versions(self, prefix: str) -> Iterator[OldVersion]:
        request: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix}
        pending: list[OldVersion] = []  # of the last key of a page: the next page may have more of it
        while True:
            with self._outages(prefix):
                page = self.client.list_object_versions(**request)
            pending += [  # S3 lists the newest of a key first
                OldVersion(
                    entry["Key"], entry.get("VersionId") or "null", entry["LastModified"].timestamp(), is_marker,
                    entry.get("Size", 0),
                )
                for kind, is_marker in (("DeleteMarkers", True), ("Versions", False))
                for entry in page.get(kind, [])
            ]  # fmt: skip
            more = bool(page.get("IsTruncated"))
            last = max((one.key for one in pending), default="") if more else None
            # the sort is stable: of one second, the order is that of S3
            yield from sorted(
                (one for one in reversed(pending) if one.key != last), key=lambda one: (one.key, one.modified)
            )
            pending = [one for one in pending if one.key == last]
            if not more:
                return
            request |= {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def digest(self, one: OldVersion) -> str | None:
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

    def delete(self, versions: Sequence[OldVersion]) -> int:
        # one request a version: a role is then allowed versions only, and a local cloud checks the same
        by_key = [list(group) for _, group in groupby(versions, lambda one: one.key)]
        with ThreadPoolExecutor(MAX_CONCURRENT_DELETES) as pool:
            return sum(pool.map(self._delete_in_order, by_key))

    def _delete_in_order(self, versions: Sequence[OldVersion]) -> int:
        for done, one in enumerate(versions):
            try:
                with self._outages(one.key):
                    self.client.delete_object(Bucket=self.bucket, Key=one.key, VersionId=one.version)
            except self.client.exceptions.ClientError as error:
                if error.response["Error"]["Code"] in REFUSED:  # such as an object that is locked
                    return len(versions) - done
                raise self._fault(error, one.key) from error
        return 0
