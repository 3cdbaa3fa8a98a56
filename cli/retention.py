"""How long the data of a model are kept, and what was deleted last."""

from __future__ import annotations

from collections.abc import Sequence

from cli.place import Place
from cli.screens.lines import ago
from modelcycle.faults import BadInput
from modelcycle.registry import Entry
from modelcycle.spec import Retention, parse
from modelcycle.spec.retention import CLASSES
from modelcycle.store import S3Store

BY = "retention"  # who deletes, in the audit trail


def retention_of(place: Place, model: str) -> Retention | None:
    """Return the section of the pipeline file as it is now; None if there is no file that can be read."""
    found = S3Store(place.s3, place.output("DataBucket")).current(f"pipelines/{model}.yaml")
    try:
        return parse(found[0]).retention if found is not None else None
    except BadInput:
        return None


def retention_text(retention: Retention | None, entries: Sequence[Entry]) -> list[str]:
    """Return lines for people; none without a section.

    Parameters
    ----------
    entries : of the audit trail, newest first

    Examples
    --------
    >>> retention_text(Retention(raw="400 days", captures="7 days"), [])
    ['', 'kept: raw 400 days, captures 7 days; nothing was old enough yet']
    """
    kept = {name: getattr(retention, name) for name in CLASSES} if retention is not None else {}
    named = ", ".join(f"{name} {age}" for name, age in kept.items() if age is not None)
    if not named:
        return []
    swept = [entry for entry in entries if entry.by == BY]
    if not swept:
        return ["", f"kept: {named}; nothing was old enough yet"]
    objects = sum(int(entry.evidence.get("objects", 0)) for entry in swept if entry.at.date() == swept[0].at.date())
    return ["", f"kept: {named}; deleted {ago(swept[0].at)}: {objects:,} objects"]
