"""A bucket in a folder: what a bench writes stays out of the memory that it measures."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from modelcycle.faults import Raced, Tampered, Unknown
from modelcycle.messages import Artifact
from modelcycle.store import MAX_OBJECT_BYTES, Listed, Replacement


class FolderStore:
    """The port `ChangingStore`, one file for each object; one writer at a time.

    Parameters
    ----------
    folder : of the bucket; its name is the bucket's
    """

    max_object_bytes = MAX_OBJECT_BYTES

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.replacement: Replacement = lambda artifact: None
        folder.mkdir(exist_ok=True)

    @property
    def bucket(self) -> str:
        return self.folder.name

    def current(self, key: str) -> tuple[bytes, str] | None:
        path = self.folder / key
        return (path.read_bytes(), _sha256(path)) if path.exists() else None

    def replace(self, key: str, body: bytes, etag: str | None) -> None:
        found = self.current(key)
        if (found[1] if found else None) != etag:
            raise Raced("another writer was faster", key)
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def put(self, key: str, body: bytes | Path) -> Artifact:
        size = len(body) if isinstance(body, bytes) else body.stat().st_size
        if size > MAX_OBJECT_BYTES:
            raise ValueError(f"{key} would have {size} bytes; the limit is {MAX_OBJECT_BYTES}")
        path = self.folder / key
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(body, bytes):
                path.write_bytes(body)
            else:
                shutil.copyfile(body, path)
        return Artifact(uri=f"s3://{self.folder.name}/{key}", sha256=_sha256(path), bytes=path.stat().st_size)

    def read(self, artifact: Artifact) -> bytes:
        return self._checked(artifact).read_bytes()

    def fetch(self, artifact: Artifact, folder: Path) -> Path:
        path = folder / f"{artifact.sha256[:16]}-{Path(artifact.uri).name}"
        shutil.copyfile(self._checked(artifact), path)
        return path

    def exists(self, key: str) -> bool:
        return (self.folder / key).exists()

    def missing(self, artifacts: Sequence[Artifact]) -> list[Artifact]:
        return [artifact for artifact in artifacts if not self._path(artifact).exists()]

    def list(self, prefix: str) -> Iterator[Listed]:
        below = self.folder / prefix.rpartition("/")[0]
        for path in sorted(below.rglob("*")):
            key = path.relative_to(self.folder).as_posix()
            if path.is_file() and key.startswith(prefix):
                found = path.stat()
                yield Listed(key, f"{found.st_mtime_ns}-{found.st_size}", found.st_size)

    def download(self, listed: Listed, path: Path) -> str | None:
        shutil.copyfile(self.folder / listed.key, path)
        return None

    def _path(self, artifact: Artifact) -> Path:
        return self.folder / artifact.uri.removeprefix(f"s3://{self.folder.name}/")

    def _checked(self, artifact: Artifact) -> Path:
        path = self._path(artifact)
        if not path.exists():
            raise Unknown(f"there is no object {path.name}", artifact.uri)
        if _sha256(path) != artifact.sha256:
            raise Tampered("the object was changed after it was written", artifact.uri)
        return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
