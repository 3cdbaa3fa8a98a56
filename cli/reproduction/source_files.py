"""Fetches what a version was made from: the exact object versions of its data, and its pipeline file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from cli.place import Place
from cli.reproduction.folder_store import FolderStore, sha256_of
from modelcycle.messages import Artifact
from modelcycle.store import NOT_FOUND_BY_HEAD

CHUNK_BYTES = 2**20


class SourceFile(NamedTuple):
    """An uploaded file that a version was made from.

    Parameters
    ----------
    recorded : SHA-256 in the lineage
    found : SHA-256 of what the bucket has; empty if the file is gone
    """

    key: str
    recorded: str
    found: str

    @property
    def same(self) -> bool:
        return self.recorded == self.found


def fetch(place: Place, lineage: dict[str, Any], folder: Path) -> list[SourceFile]:
    """Fetch pipeline file and data into a folder; return what was found of the data.

    Raises
    ------
    Unknown, Tampered : the pipeline file is gone or was changed
    """
    pipeline = Artifact.model_validate(lineage["run"]["pipeline"])
    body = place.artifacts.read(pipeline)
    FolderStore(folder / "artifacts").put(pipeline.uri.removeprefix("s3://").partition("/")[2], body)
    contract = lineage.get("steps", {}).get("collect", {}).get("contract")
    # of the files, and of live requests
    for one in (contract, lineage["data"]["objects"].get("traffic_contract")):
        if one is None:
            continue
        held = Artifact.model_validate(one)
        body = place.artifacts.read(held)
        FolderStore(folder / "artifacts").put(held.uri.removeprefix("s3://").partition("/")[2], body)
    manifest = lineage["data"]["objects"]
    data = folder / "data"
    data.mkdir()
    return [
        SourceFile(entry["key"], entry["sha256"], _fetch_version(place, entry, data / str(number)))
        for number, entry in enumerate([*manifest["objects"], *manifest.get("corrections", [])])
    ]


def _fetch_version(place: Place, entry: dict[str, Any], path: Path) -> str:
    """Download the recorded version of an object, or the current one; return its SHA-256, empty if both are gone."""
    found = ""
    version = entry["version"]
    for request in [{"VersionId": version}] * bool(version) + [{}]:
        digest = _download(place, entry["key"], request, path)
        found = found or digest
        if digest == entry["sha256"]:
            return digest
    return found


def _download(place: Place, key: str, request: dict[str, str], path: Path) -> str:
    from botocore.exceptions import ClientError

    try:
        body = place.s3.get_object(Bucket=place.output("DataBucket"), Key=key, **request)["Body"]
    except ClientError as error:
        if error.response["Error"]["Code"] in NOT_FOUND_BY_HEAD:
            return ""
        raise
    with path.open("wb") as file:
        while chunk := body.read(CHUNK_BYTES):
            file.write(chunk)
    return sha256_of(path)
