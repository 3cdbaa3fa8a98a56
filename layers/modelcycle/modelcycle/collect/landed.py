"""What has landed from a source: which files count, in which order."""

from __future__ import annotations

import hashlib
from typing import Any

from pydantic import BaseModel, ConfigDict

from modelcycle.messages import Artifact, PulledFile
from modelcycle.registry import Landing, Landings
from modelcycle.store import Store, put_json, read_json

TRAFFIC = "_traffic"  # the source of labelled live requests; no join can have this name


class LandedFile(BaseModel):
    """A landed file.

    Parameters
    ----------
    key : in the data bucket; its ending is the format
    rows : None if they were not counted
    origin : the object that it is a copy of, and its ETag; empty for rows of a database or an API
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    artifact: Artifact
    rows: int | None = None
    origin: str = ""


class LandedFiles:
    """The landed files of one source: read at first, replaced by what a pull has landed.

    Attributes
    ----------
    files : in the order in which they landed
    watermark : of the last pull
    """

    def __init__(self, model: str, source: str, definition: str, data: Store, landings: Landings) -> None:
        self.model = model
        self.source = source
        self.definition = hashlib.sha256(definition.encode()).hexdigest()
        self.data = data
        self.landings = landings
        self.prefix = landed_prefix(model, source)
        known, self.revision = landings.get(model, source)
        # another table or query: its rows are read from the beginning
        self.known = known if known is not None and known.definition == self.definition else None
        self.files = read_manifest(data, self.known)

    @property
    def watermark(self) -> str | None:
        return self.known.watermark if self.known else None

    def record(self, files: list[LandedFile], watermark: str | None) -> list[PulledFile]:
        """Record that these files are the source's rows, unless that is on record; return those that are new.

        Raises
        ------
        Raced : another pull was faster
        """
        if self.known is not None and files == self.files and watermark == self.watermark:
            return []
        digest = hashlib.sha256("\n".join(file.model_dump_json() for file in files).encode()).hexdigest()
        entries = [file.model_dump(mode="json") for file in files]
        landing = Landing(
            definition=self.definition,
            manifest=put_json(self.data, f"{self.prefix}_manifest-{digest[:24]}.json", entries),
            watermark=watermark,
            pulls=(self.known.pulls if self.known else 0) + 1,
        )
        self.known, self.revision = self.landings.replace(self.model, self.source, landing, self.revision)
        before = {file.key for file in self.files}
        self.files = files
        return [
            PulledFile(source=self.source, key=file.key, rows=file.rows or 0, watermark=watermark)
            for file in files
            if file.key not in before
        ]


def landed_prefix(model: str, source: str) -> str:
    """Return the folder of a source in the data bucket.

    >>> landed_prefix("churn", "main")
    'landed/churn/main/'
    """
    return f"landed/{model}/{source}/"


def read_manifest(data: Store, landing: Landing | None) -> list[LandedFile]:
    """Return the files of a landing, in the order in which they landed."""
    entries: list[Any] = read_json(data, landing.manifest) if landing else []
    return [LandedFile.model_validate(entry) for entry in entries]
