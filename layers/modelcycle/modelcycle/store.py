"""Port: objects that are written once and checked by their hash. Adapter: S3.

`put` never overwrites: the second writer of a key gets the first writer's artifact. So a step that is delivered twice,
or killed and retried, ends with one artifact. `fetch` and `read` return an object only if its SHA-256 is the recorded
one.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from modelcycle.faults import NoData, Raced, Tampered, Transient, Unknown
from modelcycle.messages import Artifact
from modelcycle.outages import RETRIED, Unreachable, outages_as_faults

AUTHOR = "modelcycle-author"
"""Key of the metadata in which the command line says who uploads: the ARN that STS knows them by."""

PRINCIPAL, SESSION = "modelcycle-principal", "modelcycle-session"
"""Tags in which an uploader says who they are; the bucket takes no false ones (infra/storage.yaml)."""

MAX_OBJECT_BYTES = 100 * 2**20  # a local cloud keeps every object in memory
MAX_PUT_ATTEMPTS = 5
MAX_CONCURRENT_HEADS = 8
CHUNK_BYTES = 2**20
RACED = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict"})
NOT_FOUND = frozenset({"NoSuchKey", "404", "NoSuchVersion"})
# a response to HEAD has no body; without s3:ListBucket, S3 answers 403 for a missing key
NOT_FOUND_BY_HEAD = NOT_FOUND | {"403", "AccessDenied"}


class Replaced(Protocol):
    """What an erasure has made of an object; `Rewritten` of the registry is one."""

    @property
    def was(self) -> list[str]: ...
    @property
    def now(self) -> str | None: ...
    @property
    def bytes(self) -> int: ...
    @property
    def signature(self) -> str: ...


Replacement = Callable[[Artifact], Replaced | None]


class Listed(NamedTuple):
    """An object that another system wrote, such as an upload or a capture, as a listing shows it.

    Parameters
    ----------
    modified : when it was written, in seconds since 1970 UTC; 0 if the store does not know
    """

    key: str
    etag: str
    bytes: int
    modified: float = 0.0


class Written(NamedTuple):
    """What an uploader has written beside an object.

    Parameters
    ----------
    modified : when, in seconds since 1970 UTC
    """

    metadata: dict[str, str]
    tags: dict[str, str]
    modified: float


class Store(Protocol):
    """One bucket.

    Every method raises Transient if the service does not answer and Throttled if it limits the rate; methods that read
    raise Unknown if the object does not exist.
    """

    @property
    def bucket(self) -> str:
        """The bucket's name."""

    @property
    def max_object_bytes(self) -> int:
        """The most that an object which is written may have."""

    @property
    def replacement(self) -> Replacement:
        """Returns what an erasure has made of an artifact; `read` and `fetch` believe it, signed or not."""

    def put(self, key: str, body: bytes | Path) -> Artifact:
        """Write an object, of at most `max_object_bytes`; if the key exists, return the artifact that is there."""

    def read(self, artifact: Artifact) -> bytes:
        """Return an object's bytes. Raises Tampered if their hash is not the recorded one."""

    def fetch(self, artifact: Artifact, folder: Path) -> Path:
        """Download an object into `folder`, in bounded memory. Raises Tampered if its hash is not the recorded one."""

    def missing(self, artifacts: Sequence[Artifact]) -> list[Artifact]:
        """Return the artifacts that are gone or were overwritten, without reading their bytes."""

    def exists(self, key: str) -> bool:
        """Return whether there is an object of that key."""

    def list(self, prefix: str) -> Iterator[Listed]:
        """Yield the objects under a prefix, in order of their keys."""

    def download(self, listed: Listed, path: Path) -> str | None:
        """Download a listed object to `path`; return its version id.

        Raises
        ------
        Transient : it has changed since
        Unknown : it was deleted since
        """


class ChangingStore(Store, Protocol):
    """A bucket with some objects that are replaced as a whole, under the condition that nobody else has done it."""

    def current(self, key: str) -> tuple[bytes, str] | None:
        """Return the bytes and the etag of an object that `replace` writes; None if there is none."""

    def replace(self, key: str, body: bytes, etag: str | None) -> None:
        """Write an object that is replaced as a whole, if it is still the one that `current` returned.

        Parameters
        ----------
        etag : of the object that is replaced; None: there must be none

        Raises
        ------
        Raced : another writer was faster
        """


def read_json(store: Store, artifact: Artifact) -> Any:
    """Return the value of a JSON object in the store."""
    return json.loads(store.read(artifact))


def put_json(store: Store, key: str, value: Any) -> Artifact:
    """Write a value as JSON; equal values give equal bytes."""
    return store.put(key, json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False).encode())


class S3Store:
    """An S3 bucket, encrypted by its own settings.

    Parameters
    ----------
    client : botocore's S3 client
    bucket : name
    unreachable : the client's errors for a service that does not answer, see `outages_as_faults`
    max_object_bytes : of an object that is written
    replacement : returns what an erasure has made of an artifact whose object has another hash, see `Erasures`
    """

    def __init__(
        self, client: Any, bucket: str, unreachable: Unreachable = (), max_object_bytes: int = MAX_OBJECT_BYTES,
        replacement: Replacement = lambda artifact: None,
    ) -> None:  # fmt: skip
        self.client = client
        self.bucket = bucket
        self.unreachable = unreachable
        self.replacement = replacement
        self._max_object_bytes = max_object_bytes

    @property
    def max_object_bytes(self) -> int:
        return self._max_object_bytes

    def put(self, key: str, body: bytes | Path) -> Artifact:
        digest, size = _sha256(body)
        if size > self.max_object_bytes:
            raise ValueError(f"{key} would have {size} bytes; the limit is {self.max_object_bytes}")
        artifact = Artifact(uri=f"s3://{self.bucket}/{key}", sha256=digest, bytes=size)
        for attempt in range(MAX_PUT_ATTEMPTS):
            try:
                self._put_new(key, body, digest)
                return artifact
            except self.client.exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                if code in ("PreconditionFailed", "412"):
                    return self._written(key, artifact)
                if code != "ConditionalRequestConflict":  # S3 asks the later of two writers to try again
                    raise self._fault(error, key) from error
                time.sleep(0.05 * 2**attempt)
        raise Transient("other writers keep S3 from writing the object", artifact.uri, RETRIED)

    def _put_new(self, key: str, body: bytes | Path, digest: str) -> None:
        with ExitStack() as stack:
            content = body if isinstance(body, bytes) else stack.enter_context(body.open("rb"))
            stack.enter_context(self._outages(key))
            self.client.put_object(
                Bucket=self.bucket, Key=key, Body=content, IfNoneMatch="*", Metadata={"sha256": digest}
            )

    def _written(self, key: str, artifact: Artifact) -> Artifact:
        """Return the artifact of the first writer of a key."""
        with self._outages(key):
            head = self.client.head_object(Bucket=self.bucket, Key=key)
        digest = head["Metadata"].get("sha256")
        if digest is None:  # `put` always writes the hash into the metadata
            raise _tampered(artifact)
        return Artifact(uri=artifact.uri, sha256=digest, bytes=head["ContentLength"])

    def read(self, artifact: Artifact) -> bytes:
        key = self._key(artifact)
        try:
            with self._outages(key):
                body: bytes = self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except self.client.exceptions.ClientError as error:
            raise self._fault(error, key) from error
        if not self._is_as_recorded(artifact, hashlib.sha256(body).hexdigest()):
            raise _tampered(artifact)
        return body

    def fetch(self, artifact: Artifact, folder: Path) -> Path:
        key = self._key(artifact)
        path = folder / f"{artifact.sha256[:16]}-{Path(key).name}"
        self._stream(path, Bucket=self.bucket, Key=key)
        if not self._is_as_recorded(artifact, _sha256(path)[0]):
            path.unlink()
            raise _tampered(artifact)
        return path

    def _is_as_recorded(self, artifact: Artifact, digest: str) -> bool:
        """Return whether a hash is the recorded one, or that which an erasure has on record for the object."""
        if digest == artifact.sha256:
            return True
        replaced = self.replacement(artifact)
        return replaced is not None and digest == replaced.now

    def missing(self, artifacts: Sequence[Artifact]) -> list[Artifact]:
        if not artifacts:
            return []
        with ThreadPoolExecutor(min(len(artifacts), MAX_CONCURRENT_HEADS)) as pool:
            unchanged = list(pool.map(self._is_unchanged, artifacts))
        return [artifact for artifact, same in zip(artifacts, unchanged, strict=True) if not same]

    def _is_unchanged(self, artifact: Artifact) -> bool:
        """Whether the object still has the artifact's size and hash; an overwritten object has lost its metadata."""
        try:
            key = self._key(artifact)
        except Unknown:
            return False
        try:
            with self._outages(key):
                head = self.client.head_object(Bucket=self.bucket, Key=key)
        except self.client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in NOT_FOUND_BY_HEAD:
                return False
            raise self._fault(error, key) from error
        there = (head["ContentLength"], head["Metadata"].get("sha256"))
        if there == (artifact.bytes, artifact.sha256):
            return True
        replaced = self.replacement(artifact)
        return replaced is not None and there == (replaced.bytes, replaced.now)

    def written(self, key: str, etag: str | None = None) -> Written | None:
        """Return what an uploader has written beside an object; None if it was replaced or deleted since.

        Parameters
        ----------
        etag : of the upload; None: whatever is there
        """
        try:
            with self._outages(key):
                head = self.client.head_object(Bucket=self.bucket, Key=key)
        except self.client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in NOT_FOUND_BY_HEAD:
                return None
            raise self._fault(error, key) from error
        if etag is not None and head["ETag"].strip('"') != etag:
            return None
        return Written(head["Metadata"], self._tags(key, head.get("VersionId")), head["LastModified"].timestamp())

    def _tags(self, key: str, version: str | None) -> dict[str, str]:
        """Return the tags of a version of an object; none if it is gone."""
        if version is None:  # of a bucket without versions: the object may have been replaced since
            return {}
        try:
            with self._outages(key):
                found = self.client.get_object_tagging(Bucket=self.bucket, Key=key, VersionId=version)
        except self.client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in NOT_FOUND:
                return {}
            raise self._fault(error, key) from error
        return {tag["Key"]: tag["Value"] for tag in found["TagSet"]}

    def exists(self, key: str) -> bool:
        try:
            with self._outages(key):
                self.client.head_object(Bucket=self.bucket, Key=key)
        except self.client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in NOT_FOUND_BY_HEAD:
                return False
            raise self._fault(error, key) from error
        return True

    def list(self, prefix: str) -> Iterator[Listed]:
        pages = iter(self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix))
        while True:
            with self._outages(prefix):  # around the call only: errors of the caller's loop pass unchanged
                page = next(pages, None)
            if page is None:
                return
            for entry in page.get("Contents", []):
                written = entry.get("LastModified")
                modified = written.timestamp() if written else 0.0
                yield Listed(entry["Key"], entry["ETag"].strip('"'), entry["Size"], modified)

    def download(self, listed: Listed, path: Path) -> str | None:
        response = self._stream(path, Bucket=self.bucket, Key=listed.key, IfMatch=listed.etag)
        version_id: str | None = response.get("VersionId")
        return version_id

    def latest(self, key: str) -> tuple[bytes, str | None]:
        """Return the current bytes of an object that people replace (a pipeline file), and their version id.

        Raises
        ------
        Unknown : there is no such object
        """
        try:
            with self._outages(key):
                response = self.client.get_object(Bucket=self.bucket, Key=key)
                return response["Body"].read(), response.get("VersionId")
        except self.client.exceptions.ClientError as error:
            raise self._fault(error, key) from error

    def current(self, key: str) -> tuple[bytes, str] | None:
        try:
            with self._outages(key):
                response = self.client.get_object(Bucket=self.bucket, Key=key)
                return response["Body"].read(), response["ETag"].strip('"')
        except self.client.exceptions.ClientError as error:
            fault = self._fault(error, key)
            if isinstance(fault, Unknown):
                return None
            raise fault from error

    def replace(self, key: str, body: bytes, etag: str | None) -> None:
        condition = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        try:
            with self._outages(key):
                self.client.put_object(Bucket=self.bucket, Key=key, Body=body, **condition)
        except self.client.exceptions.ClientError as error:
            # 404: the object to replace was deleted meanwhile (AWS page "Conditional writes")
            if error.response["Error"]["Code"] in RACED | NOT_FOUND:
                raise Raced("another writer was faster", f"s3://{self.bucket}/{key}", RETRIED) from error
            raise self._fault(error, key) from error

    def _stream(self, path: Path, **request: str) -> dict[str, Any]:
        try:
            with self._outages(request["Key"]):
                response: dict[str, Any] = self.client.get_object(**request)
                with path.open("wb") as file:
                    for chunk in response["Body"].iter_chunks(CHUNK_BYTES):
                        file.write(chunk)
        except self.client.exceptions.ClientError as error:
            raise self._fault(error, request["Key"]) from error
        return response

    def _key(self, artifact: Artifact) -> str:
        """Return the artifact's key. A message may name no object outside this bucket."""
        bucket, _, key = artifact.uri.removeprefix("s3://").partition("/")
        if bucket != self.bucket:
            raise Unknown(
                f"the message names the bucket {bucket}, and this function has the bucket {self.bucket}", artifact.uri,
                "call it with a message of its own stack",
            )  # fmt: skip
        return key

    def _outages(self, key: str) -> AbstractContextManager[None]:
        return outages_as_faults("S3", f"s3://{self.bucket}/{key}", self.unreachable)

    def _fault(self, error: Any, key: str) -> Exception:
        """Return the fault for a ClientError, or the error itself: an IAM refusal already names its action and role."""
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        where = f"s3://{self.bucket}/{key}"
        # for a missing key, a caller without s3:ListBucket gets AccessDenied (AWS page "GetObject")
        if code in NOT_FOUND or (code == "AccessDenied" and "s3:ListBucket" in message):
            return Unknown(f"there is no object {key}", where, "was it deleted by hand? the next run creates it again")
        if code == "PreconditionFailed":
            return Transient(f"{key} was replaced while it was being read", where, RETRIED)
        if code == "NoSuchBucket":
            return NoData(f"the bucket {self.bucket} does not exist", where, "deploy the stack again")
        return error if isinstance(error, Exception) else RuntimeError(str(error))


def _sha256(body: bytes | Path) -> tuple[str, int]:
    if isinstance(body, bytes):
        return hashlib.sha256(body).hexdigest(), len(body)
    with body.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), body.stat().st_size


def _tampered(artifact: Artifact) -> Tampered:
    return Tampered(
        "the object was changed after it was written", artifact.uri,
        "delete the object and run again, to create it again; or restore the original version",
    )  # fmt: skip
