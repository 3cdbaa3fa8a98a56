"""The manifest of what has landed from a source: which files count, in which order."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from modelcycle.messages import Artifact
from modelcycle.registry import Landing
from modelcycle.store import Store, put_json, read_json


class LandedFile(BaseModel):
    """A landed file.

    Parameters
    ----------
    key : in the data bucket; its ending is the format
    origin : the object that it is a copy of, empty for rows of a database or an API
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    artifact: Artifact
    rows: int | None = None
    origin: str = ""


def read_manifest(data: Store, landing: Landing | None) -> list[LandedFile]:
    """Return the files of a landing, in the order in which they landed."""
    entries: list[Any] = read_json(data, landing.manifest) if landing else []
    return [LandedFile.model_validate(entry) for entry in entries]


def write_manifest(data: Store, prefix: str, files: list[LandedFile], digest: str) -> Artifact:
    """Write the manifest of files; the same files give the same object.

    Parameters
    ----------
    prefix : the folder of the source
    digest : of the files
    """
    return put_json(data, f"{prefix}_manifests/{digest}.json", [file.model_dump(mode="json") for file in files])
