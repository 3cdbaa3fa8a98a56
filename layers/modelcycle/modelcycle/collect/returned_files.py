"""Uploads that came back as they were before an erasure: with the rows that it had taken out of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from modelcycle.collect.notes import notes_of_files
from modelcycle.registry import Registry

RETURNED = (
    "uploaded again as it was before an erasure, so the rows of whoever was erased are back; erase them again"
    " (`modelcycle erase`), and leave them out of your own file"
)


def notes_of_returned(registry: Registry, model: str, bucket: str, sources: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a sentence about the uploads that an erasure had changed and that have their former bytes again.

    Parameters
    ----------
    bucket : of the uploads
    sources : entries of a snapshot's manifest
    """
    uploads = ((str(entry["key"]), entry["sha256"]) for entry in sources if entry["key"].startswith("raw/"))
    returned = [
        key
        for key, sha256 in uploads
        if (changed := registry.erasures.rewritten(model, bucket, key)) is not None and sha256 in changed.was
    ]
    return notes_of_files([(key, [RETURNED]) for key in returned])
