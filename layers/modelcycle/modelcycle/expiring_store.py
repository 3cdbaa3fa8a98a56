"""Port: a bucket of which old objects are deleted for good, with all their versions. Adapter: S3."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from modelcycle.faults import Unknown
from modelcycle.store import CHUNK_BYTES, NOT_FOUND, S3Store

MAX_DELETED = 1000  # versions of one request (AWS page "DeleteObjects")


class OldVersion(NamedTuple):
    """A version of an object, or a delete marker.

    Parameters
    ----------
    modified : when it was written, seconds since 1970
    is_marker : whether it is a delete marker
    """

    key: str
    version: str
    modified: float
    is_marker: bool = False


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
            found = pending + [
                OldVersion(entry["Key"], entry.get("VersionId") or "null", entry["LastModified"].timestamp(), is_marker)
                for kind, is_marker in (("Versions", False), ("DeleteMarkers", True))
                for entry in page.get(kind, [])
            ]
            found.sort(key=lambda one: (one.key, one.modified))
            more = bool(page.get("IsTruncated"))
            pending = [one for one in found if more and one.key == found[-1].key]
            yield from found[: len(found) - len(pending)]
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
        failed = 0
        for start in range(0, len(versions), MAX_DELETED):
            batch = versions[start : start + MAX_DELETED]
            objects = [{"Key": one.key, "VersionId": one.version} for one in batch]
            with self._outages(batch[0].key):
                response = self.client.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True})
            failed += len(response.get("Errors", []))
        return failed
