"""Which landed files are still a source's rows, and taking old ones out of that record before they are deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Set
from typing import Any

from modelcycle.registry import Landings
from modelcycle.registry.landings import Landing
from modelcycle.registry.table import retry_when_raced
from modelcycle.spec import Pipeline
from modelcycle.store import Store, put_json, read_json

TRAFFIC = "_traffic"  # the source of labelled live requests


def landed_keys_that_stay(model: str, pipeline: Pipeline, data: Store, landings: Landings) -> set[str]:
    """Return the landed objects that no age deletes: manifests in force, and the files of a source that each pull
    gives as a whole: they are its present rows, however long ago they changed.
    """
    stay = set()
    for source in _sources(pipeline):
        landing = landings.get(model, source).landing
        if landing is None:
            continue
        stay.add(landing.manifest.uri.removeprefix("s3://").partition("/")[2])
        if not _grows(pipeline, source):
            stay |= {entry["key"] for entry in _entries(data, landing)}
    return stay


def forget_landed(model: str, keys: Set[str], pipeline: Pipeline, data: Store, landings: Landings) -> None:
    """Take files out of the record of what has landed: later runs learn without them.

    Raises
    ------
    Raced : pulls were faster at each attempt
    """
    for source in _sources(pipeline):
        if any(key.startswith(f"landed/{model}/{source}/") for key in keys):
            _forget(model, source, keys, data, landings)


@retry_when_raced
def _forget(model: str, source: str, keys: Set[str], data: Store, landings: Landings) -> None:
    landing, revision = landings.get(model, source)
    if landing is None:
        return
    entries = _entries(data, landing)
    left = [entry for entry in entries if entry["key"] not in keys]
    if len(left) == len(entries):
        return
    digest = hashlib.sha256(repr([entry["key"] for entry in left]).encode()).hexdigest()
    manifest = put_json(data, f"landed/{model}/{source}/_manifest-{digest[:24]}.json", left)
    landings.replace(model, source, landing.model_copy(update={"manifest": manifest}), revision)


def _sources(pipeline: Pipeline) -> Iterator[str]:
    yield from (*pipeline.sources, TRAFFIC)


def _grows(pipeline: Pipeline, source: str) -> bool:
    """Return whether a pull adds what is new, and does not replace everything."""
    return source == TRAFFIC or getattr(pipeline.sources[source], "watermark", None) is not None


def _entries(data: Store, landing: Landing) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = read_json(data, landing.manifest)
    return entries
