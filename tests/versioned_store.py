"""A bucket in memory that keeps all versions of its objects, and can be killed at any write."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from modelcycle.erasing_store import ObjectVersion, Rewriting
from modelcycle.faults import Raced, Tampered, Unknown
from modelcycle.messages import Artifact
from modelcycle.store import MAX_OBJECT_BYTES, Listed, Replacement
from tests.fakes import MemoryTable


class Killed(BaseException):
    """The process is gone: nothing catches it."""


@dataclass
class Kill:
    """Kills at the write of that number; 0 never."""

    at: int = 0
    writes: int = 0

    def __call__(self) -> None:
        self.writes += 1
        if self.writes == self.at:
            raise Killed


@dataclass
class _Stored:
    version: str
    body: bytes | None  # None: a delete marker
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str:
        return hashlib.md5(self.body or b"").hexdigest()


class VersionedStore:
    """The port of an erasure, and of other writers."""

    max_object_bytes = MAX_OBJECT_BYTES

    def __init__(self, bucket: str, kill: Callable[[], None], replacement: Replacement = lambda artifact: None) -> None:
        self.bucket, self.kill, self.replacement = bucket, kill, replacement
        self.stored: dict[str, list[_Stored]] = {}
        self.number = 0

    def upload(self, key: str, body: bytes | Path | None, metadata: Mapping[str, str] | None = None) -> _Stored:
        """Add a version; None is a delete marker."""
        self.number += 1
        content = body.read_bytes() if isinstance(body, Path) else body
        new = _Stored(f"v{self.number:05d}", content, metadata or {})
        self.stored.setdefault(key, []).append(new)
        return new

    def _now(self, key: str) -> _Stored | None:
        found = self.stored.get(key)
        return found[-1] if found and found[-1].body is not None else None

    def put(self, key: str, body: bytes | Path) -> Artifact:
        content = body.read_bytes() if isinstance(body, Path) else body
        found = self._now(key)
        if found is None:
            self.kill()
            found = self.upload(key, content, {"sha256": hashlib.sha256(content).hexdigest()})
        assert found.body is not None
        return self.artifact(key)

    def artifact(self, key: str) -> Artifact:
        found = self._now(key)
        assert found is not None and found.body is not None
        digest = hashlib.sha256(found.body).hexdigest()
        return Artifact(uri=f"s3://{self.bucket}/{key}", sha256=digest, bytes=len(found.body))

    def read(self, artifact: Artifact) -> bytes:
        found = self._now(artifact.uri.removeprefix(f"s3://{self.bucket}/"))
        if found is None or found.body is None:
            raise Unknown("there is no such object", artifact.uri)
        digest = hashlib.sha256(found.body).hexdigest()
        replaced = self.replacement(artifact) if digest != artifact.sha256 else None
        if digest != (replaced.now if replaced else artifact.sha256):
            raise Tampered("the object was changed", artifact.uri)
        return found.body

    def missing(self, artifacts: Sequence[Artifact]) -> list[Artifact]:
        return [one for one in artifacts if self._now(one.uri.removeprefix(f"s3://{self.bucket}/")) is None]

    def list(self, prefix: str) -> Iterator[Listed]:
        for key in sorted(self.stored):
            found = self._now(key)
            if key.startswith(prefix) and found is not None:
                yield Listed(key, found.etag, len(found.body or b""))

    def download(self, listed: Listed, path: Path) -> str | None:
        path.write_bytes(self.latest(listed.key)[0])
        return None

    def fetch(self, artifact: Artifact, folder: Path) -> Path:
        path = folder / f"{artifact.sha256[:16]}-{Path(artifact.uri).name}"
        path.write_bytes(self.read(artifact))
        return path

    def latest(self, key: str) -> tuple[bytes, str | None]:
        found = self._now(key)
        if found is None or found.body is None:
            raise Unknown("there is no such object", key)
        return found.body, found.version

    def current(self, key: str) -> tuple[bytes, str] | None:
        found = self._now(key)
        return None if found is None or found.body is None else (found.body, found.etag)

    def replace(self, key: str, body: bytes, etag: str | None) -> None:
        found = self._now(key)
        if (found.etag if found else None) != etag:
            raise Raced("another writer was faster", key)
        self.kill()
        self.upload(key, body)

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        for key in sorted(key for key in self.stored if key.startswith(prefix)):
            for one in reversed(list(self.stored[key])):
                latest = one is self.stored[key][-1]
                yield ObjectVersion(key, one.version, latest, one.body is None, one.etag, len(one.body or b""))

    def download_version(self, one: ObjectVersion, path: Path) -> Mapping[str, str]:
        found = next((stored for stored in self.stored.get(one.key, []) if stored.version == one.version), None)
        if found is None or found.body is None:
            raise Unknown("the version is gone", one.key)
        path.write_bytes(found.body)
        return found.metadata

    def rewrite(self, one: ObjectVersion, body: bytes | Path, metadata: Mapping[str, str]) -> Rewriting:
        found = self._now(one.key)
        if found is None or found.etag != one.etag:
            raise Raced("another writer was faster", one.key)
        self.kill()
        content = body.read_bytes() if isinstance(body, Path) else body
        new = self.upload(one.key, content, {**metadata, "sha256": hashlib.sha256(content).hexdigest()})
        return Rewriting(new.version, new.etag)

    def hide(self, one: ObjectVersion) -> None:
        if self.stored[one.key][-1].version != one.version:
            raise Raced("another writer was faster", one.key)
        self.kill()
        self.upload(one.key, None)

    def delete_version(self, one: ObjectVersion) -> None:
        self.kill()
        left = [stored for stored in self.stored.get(one.key, []) if stored.version != one.version]
        self.stored[one.key] = left
        if not left:
            del self.stored[one.key]

    def everything(self) -> dict[str, list[bytes | None]]:
        """Return the bytes of all versions of all objects, None for a delete marker."""
        return {key: [one.body for one in stored] for key, stored in self.stored.items()}


class KillableTable(MemoryTable):
    """A registry whose writer may be killed before any write."""

    def __init__(self, kill: Callable[[], None]) -> None:
        super().__init__()
        self.kill = kill

    def write(self, *writes: object) -> None:
        self.kill()
        super().write(*writes)  # type: ignore[arg-type]
