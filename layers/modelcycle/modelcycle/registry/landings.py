"""What has been pulled from a source: the landed files that count, and the watermark of the next pull.

A pull writes its files first and then replaces this record, on condition that nobody else has. So a pull that is killed
or repeated leaves every row once: files that no record names are never read.
"""

from __future__ import annotations

from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from modelcycle.faults import Tampered
from modelcycle.messages import Artifact
from modelcycle.registry import keys
from modelcycle.registry.table import Table, Write, revision_of


class Landing(BaseModel):
    """The rows of a source so far.

    Parameters
    ----------
    definition : identifies what was read; rows of another definition do not count
    manifest : JSON in the data bucket: a list of the files, in the order in which they landed
    watermark : the next pull reads what lies above it; None: everything
    pulls : how often something new has landed
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    definition: str
    manifest: Artifact
    watermark: str | None = None
    pulls: int = 0


class Known(NamedTuple):
    """A landing and the revision of its record; no landing and 0 before the first pull."""

    landing: Landing | None
    revision: int


class Landings:
    """The landings of all models."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def get(self, model: str, source: str) -> Known:
        """Return what has landed from a source.

        Parameters
        ----------
        source : `main`, or the name of a join

        Raises
        ------
        Tampered : the record names an object of another model
        """
        record = self.table.get(*keys.landing(model, source))
        landing = Landing.model_validate(record.body) if record else None
        if landing is not None and landing.manifest.is_foreign_to(model):
            raise Tampered(
                "the record names the rows of another model", f"{model}, source {source}",
                "restore the registry to a time before somebody changed it",
            )  # fmt: skip
        return Known(landing, revision_of(record))

    def replace(self, model: str, source: str, landing: Landing, revision: int) -> Known:
        """Record a landing in place of the one that was read.

        Raises
        ------
        Raced : another pull was faster
        """
        self.table.write(Write(*keys.landing(model, source), landing.model_dump(mode="json"), revision))
        return Known(landing, revision + 1)
