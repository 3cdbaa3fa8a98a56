"""The buckets of a version that is made again: folders of this machine."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from modelcycle.faults import Tampered, Unknown
from modelcycle.messages import Artifact
from modelcycle.store import Listed, Replacement


class FolderStore:
    """A `modelcycle.store.Store` of artifacts: the object `key` is the file `folder/key`. `put` writes once."""

    max_object_bytes = sys.maxsize  # of a file

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bucket = folder.name
        self.replacement: Replacement = lambda artifact: None

    def put(self, key: str, body: bytes | Path) -> Artifact:
        path = self.folder / key
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(body, Path):
                shutil.copyfile(body, path)
            else:
                path.write_bytes(body)
        return Artifact(uri=f"s3://{self.folder.name}/{key}", sha256=sha256_of(path), bytes=path.stat().st_size)

    def read(self, artifact: Artifact) -> bytes:
        return self._path(artifact).read_bytes()

    def fetch(self, artifact: Artifact, folder: Path) -> Path:
        source = self._path(artifact)
        return Path(shutil.copyfile(source, folder / f"{artifact.sha256[:16]}-{source.name}"))

    def exists(self, key: str) -> bool:
        return (self.folder / key).is_file()

    def missing(self, artifacts: Sequence[Artifact]) -> list[Artifact]:
        return [artifact for artifact in artifacts if not (self.folder / _key_of(artifact)).is_file()]

    def list(self, prefix: str) -> Iterator[Listed]:
        raise NotImplementedError("artifacts are not listed")

    def download(self, listed: Listed, path: Path) -> str | None:
        raise NotImplementedError("artifacts are read by their hash")

    def _path(self, artifact: Artifact) -> Path:
        path = self.folder / _key_of(artifact)
        if not path.is_file():
            raise Unknown(f"there is no object {_key_of(artifact)}", artifact.uri)
        if sha256_of(path) != artifact.sha256:
            raise Tampered("the object was changed after it was written", artifact.uri)
        return path


class SourceFiles(FolderStore):
    """A `modelcycle.store.Store` of the uploaded files, as a manifest names them.

    The manifest of `collect` contains ETag and version of each object. The recorded ones are given back, so that equal
    files give an equal manifest.

    Parameters
    ----------
    folder : file `number` holds the object of that number in the manifest
    objects : of the manifest
    """

    def __init__(self, folder: Path, objects: Sequence[dict[str, Any]]) -> None:
        super().__init__(folder)
        self.objects = {entry["key"]: (number, entry) for number, entry in enumerate(objects)}

    def list(self, prefix: str) -> Iterator[Listed]:
        # in the manifest's order: landed files are read in the order in which they came
        for key, (_, entry) in self.objects.items():
            if key.startswith(prefix):
                yield Listed(key, entry["etag"], entry["bytes"], entry.get("at", 0.0))

    def download(self, listed: Listed, path: Path) -> str | None:
        number, entry = self.objects[listed.key]
        shutil.copyfile(self.folder / str(number), path)
        version: str | None = entry["version"]
        return version


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write a value for the process, or from it."""
    path.write_text(json.dumps(value, ensure_ascii=False))


def _key_of(artifact: Artifact) -> str:
    return artifact.uri.removeprefix("s3://").partition("/")[2]
