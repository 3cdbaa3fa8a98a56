"""The objects that a run reads, by source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from modelcycle.collect.landed import TRAFFIC, landed_prefix, read_manifest
from modelcycle.faults import Unknown
from modelcycle.registry import Landings
from modelcycle.spec import Pipeline, S3Source, StreamSource
from modelcycle.spec.sources import Source, is_pulled
from modelcycle.store import Listed, Store

WINDOW = re.compile(r"\d{4}/\d{2}/")  # see `land`


class Inputs(NamedTuple):
    """What a run reads: the objects of each source in the order in which they are read, corrections of rows, and
    labelled live requests; `lost` is how many objects of these are gone.
    """

    sources: dict[str, list[Listed]]
    corrections: list[Listed]
    traffic: list[Listed]
    lost: int = 0

    @property
    def bytes(self) -> int:
        """Of all sources together."""
        return sum(listed.bytes for objects in (*self.sources.values(), self.traffic) for listed in objects)


def source_prefix(model: str, name: str, source: Source) -> str:
    """Return where the objects of a source lie in the data bucket.

    >>> source_prefix("churn", "main", S3Source())
    'raw/churn/'
    """
    uploaded = isinstance(source, S3Source) and not source.is_elsewhere
    return f"raw/{model}/" if uploaded else landed_prefix(model, name)


def list_inputs(pipeline: Pipeline, data: Store, landings: Landings | None) -> dict[str, list[Listed]]:
    """Return the objects of each source, in the order in which they are read.

    Uploads and records of a stream are those that lie there; of a source that rows are pulled from, the ones that its
    last pull has recorded.

    Parameters
    ----------
    landings : None reads all objects in the order of `data`, which then holds what an earlier run has read

    Raises
    ------
    Unknown : a landed object is gone
    """
    return {name: _list(pipeline.name, name, source, data, landings) for name, source in pipeline.sources.items()}


def _list(model: str, name: str, source: Source, data: Store, landings: Landings | None) -> list[Listed]:
    prefix = source_prefix(model, name, source)
    listing = [listed for listed in data.list(prefix) if _is_data(listed.key)]
    if isinstance(source, StreamSource):  # beside them may lie what was pulled before the source became the stream
        return [listed for listed in listing if WINDOW.match(listed.key, len(prefix))]
    if landings is None or not is_pulled(source):
        return listing
    return _landed(model, name, listing, data, landings)


def list_traffic(pipeline: Pipeline, data: Store, landings: Landings | None) -> tuple[list[Listed], int]:
    """Return the objects with labelled live requests, the oldest first; none if the pipeline file leaves them out.

    Somebody may have deleted some, which people may ask for. Returns how many, too.

    Parameters
    ----------
    landings : as in `list_inputs`
    """
    if not pipeline.retraining.traffic:
        return [], 0
    prefix = landed_prefix(pipeline.name, TRAFFIC)
    if landings is None:
        return list(data.list(prefix)), 0
    by_key = {listed.key: listed for listed in data.list(prefix)}
    files = read_manifest(data, landings.get(pipeline.name, TRAFFIC).landing)
    found = [by_key[file.key] for file in files if file.key in by_key]
    return found, len(files) - len(found)


def _landed(model: str, name: str, listing: list[Listed], data: Store, landings: Landings) -> list[Listed]:
    """Return the objects that the last pull of a source has recorded."""
    by_key = {listed.key: listed for listed in listing}
    files = read_manifest(data, landings.get(model, name).landing)
    for file in files:
        if file.key not in by_key:
            raise Unknown(
                f"the landed file {Path(file.key).name} is gone",
                landed_prefix(model, name),
                f"restore it: its rows were pulled from {name}",
            )
    return [by_key[file.key] for file in files]


def _is_data(key: str) -> bool:
    return not key.endswith("/") and not Path(key).name.startswith(("_", "."))
