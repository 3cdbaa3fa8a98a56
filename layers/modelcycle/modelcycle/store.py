"""Port: objects that are written once and read by their hash. Adapter: S3.

What the port promises: `put` never rewrites. Whoever comes second gets the first writer's artifact, so that a step that
is delivered twice, or killed and tried again, ends with one and the same artifact. `fetch` and `read` hand out nothing
whose SHA-256 is not the one on record.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from modelcycle.faults import NoData, Tampered, Transient, Unknown
from modelcycle.messages import Artifact
from modelcycle.outages import Unreachable, outages_as_faults

LARGEST_OBJECT = 100 * 2**20  # bytes; a local cloud keeps every object in memory
MAX_CONCURRENT_HEADS = 8
NOT_FOUND = frozenset({"NoSuchKey", "404", "NoSuchVersion"})
# a HEAD has no body that could say why: without s3:ListBucket a key that is missing is answered with 403
NOT_FOUND_BY_HEAD = NOT_FOUND | {"403", "AccessDenied"}


class Listed(NamedTuple):
    """An object that somebody else wrote (an upload, a capture)."""

    key: str
    etag: str
    bytes: int
    modified: datetime


class Store(Protocol):
    """One bucket."""

    def put(self, key: str, body: bytes | Path) -> Artifact:
        """Write once; a key that is taken answers with the artifact that is there."""

    def read(self, artifact: Artifact) -> bytes:
        """The bytes, proved by their hash. Raises Tampered."""

    def fetch(self, artifact: Artifact, folder: Path) -> Path:
        """The object as a file in `folder`, proved by its hash, in bounded memory. Raises Tampered."""

    def missing(self, artifacts: Sequence[Artifact]) -> list[Artifact]:
        """Return those that are gone or were overwritten. Their bytes are not read."""

    def list(self, prefix: str) -> Iterator[Listed]:
        """The objects under a prefix, in order of their keys."""

    def download(self, listed: Listed, path: Path) -> str | None:
        """An object as it was listed, into `path`; returns its version id. Raises Transient when it has changed."""


def read_json(store: Store, artifact: Artifact) -> Any:
    return json.loads(store.read(artifact))


def put_json(store: Store, key: str, value: Any) -> Artifact:
    return store.put(key, json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False).encode())


class S3Store:
    """A bucket of S3. The bucket's own rules encrypt what is put.

    Parameters
    ----------
    client : boto3's
    unreachable : the errors by which it says that nobody answered; they come out as Transient
    """

    def __init__(self, client: Any, bucket: str, unreachable: Unreachable = ()) -> None:
        self.client = client
        self.bucket = bucket
        self.unreachable = unreachable

    def put(self, key: str, body: bytes | Path) -> Artifact:
        digest, size = _sha256(body)
        if size > LARGEST_OBJECT:
            raise ValueError(f"{key} would have {size} bytes; the writer has to cut it at {LARGEST_OBJECT}")
        for attempt in range(5):
            try:
                content = body if isinstance(body, bytes) else body.open("rb")
                with self._named(key):
                    self.client.put_object(
                        Bucket=self.bucket, Key=key, Body=content, IfNoneMatch="*", Metadata={"sha256": digest}
                    )
                return Artifact(uri=f"s3://{self.bucket}/{key}", sha256=digest, bytes=size)
            except self.client.exceptions.ClientError as error:
                code = error.response["Error"]["Code"]
                if code in ("PreconditionFailed", "412"):
                    with self._named(key):
                        head = self.client.head_object(Bucket=self.bucket, Key=key)
                    uri = f"s3://{self.bucket}/{key}"
                    written = head["Metadata"].get("sha256")
                    if written is None:  # every object of ours names its hash
                        raise _tampered(Artifact(uri=uri, sha256=digest, bytes=size)) from error
                    return Artifact(uri=uri, sha256=written, bytes=head["ContentLength"])
                if code != "ConditionalRequestConflict":  # two writers at once: S3 asks the later one to come again
                    raise self._fault(error, key) from error
                time.sleep(0.05 * 2**attempt)
        raise Transient(f"S3 did not take {key}: other writers at the same time", key)

    def read(self, artifact: Artifact) -> bytes:
        bucket, key = _split(artifact.uri)
        try:
            with self._named(key):
                body: bytes = self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        except self.client.exceptions.ClientError as error:
            raise self._fault(error, key) from error
        if hashlib.sha256(body).hexdigest() != artifact.sha256:
            raise _tampered(artifact)
        return body

    def fetch(self, artifact: Artifact, folder: Path) -> Path:
        bucket, key = _split(artifact.uri)
        path = folder / f"{artifact.sha256[:16]}-{Path(key).name}"
        self._stream(path, Bucket=bucket, Key=key)
        if _sha256(path)[0] != artifact.sha256:
            path.unlink()
            raise _tampered(artifact)
        return path

    def missing(self, artifacts: Sequence[Artifact]) -> list[Artifact]:
        if not artifacts:
            return []
        with ThreadPoolExecutor(min(len(artifacts), MAX_CONCURRENT_HEADS)) as pool:
            unchanged = list(pool.map(self._is_unchanged, artifacts))
        return [artifact for artifact, same in zip(artifacts, unchanged, strict=True) if not same]

    def _is_unchanged(self, artifact: Artifact) -> bool:
        """Whether size and recorded hash are those of the artifact: who overwrites an object loses its metadata."""
        bucket, key = _split(artifact.uri)
        try:
            with self._named(key):
                head = self.client.head_object(Bucket=bucket, Key=key)
        except self.client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in NOT_FOUND_BY_HEAD:
                return False
            raise self._fault(error, key) from error
        return (head["ContentLength"], head["Metadata"].get("sha256")) == (artifact.bytes, artifact.sha256)

    def list(self, prefix: str) -> Iterator[Listed]:
        pages = iter(self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix))
        while True:
            with self._named(prefix):  # around the call alone: what the reader of the list raises is its own
                page = next(pages, None)
            if page is None:
                return
            for entry in page.get("Contents", []):
                yield Listed(entry["Key"], entry["ETag"].strip('"'), entry["Size"], entry["LastModified"])

    def download(self, listed: Listed, path: Path) -> str | None:
        answer = self._stream(path, Bucket=self.bucket, Key=listed.key, IfMatch=listed.etag)
        version: str | None = answer.get("VersionId")
        return version

    def latest(self, key: str) -> tuple[bytes, str | None]:
        """The newest bytes under a key that people write (a pipeline file), with their version id.

        Raises
        ------
        Unknown : nothing is there
        """
        try:
            with self._named(key):
                answer = self.client.get_object(Bucket=self.bucket, Key=key)
                return answer["Body"].read(), answer.get("VersionId")
        except self.client.exceptions.ClientError as error:
            raise self._fault(error, key) from error

    def _stream(self, path: Path, **request: str) -> dict[str, Any]:
        try:
            with self._named(request["Key"]):
                answer: dict[str, Any] = self.client.get_object(**request)
                with path.open("wb") as file:
                    for chunk in answer["Body"].iter_chunks(1 << 20):
                        file.write(chunk)
        except self.client.exceptions.ClientError as error:
            raise self._fault(error, request["Key"]) from error
        return answer

    def _named(self, key: str) -> AbstractContextManager[None]:
        return outages_as_faults("S3", f"s3://{self.bucket}/{key}", self.unreachable)

    def _fault(self, error: Any, key: str) -> Exception:
        """The named fault behind a ClientError; a refusal by IAM stays as boto3 says it, with action and role."""
        code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        where = f"s3://{self.bucket}/{key}"
        # who may not list a bucket is told of that permission in place of "no such key" (AWS page "GetObject")
        if code in NOT_FOUND or (code == "AccessDenied" and "s3:ListBucket" in message):
            return Unknown(f"there is no object {key}", where, "was it deleted by hand? run again: it is made again")
        if code == "PreconditionFailed":
            return Transient(f"{key} was replaced while it was being read", where, "the step is tried again")
        if code == "NoSuchBucket":
            return NoData("the bucket is gone", where, "deploy the stack again")
        return error if isinstance(error, Exception) else RuntimeError(str(error))


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def _sha256(body: bytes | Path) -> tuple[str, int]:
    if isinstance(body, bytes):
        return hashlib.sha256(body).hexdigest(), len(body)
    with body.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), body.stat().st_size


def _tampered(artifact: Artifact) -> Tampered:
    return Tampered(
        "the object's bytes are not those that were written", artifact.uri,
        "delete the object and run again: it is made again; or restore the version that was written",
    )  # fmt: skip
