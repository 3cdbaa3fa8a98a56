"""What became of a version that its run left to a person."""

from __future__ import annotations

from collections.abc import Sequence

from cli.place import Place
from modelcycle.registry import Entry, RunRecord

LATER = {"approve": "approved", "reject": "rejected", "expired": "approval expired"}


def later_states(place: Place, model: str, records: Sequence[RunRecord]) -> dict[str, str]:
    """Return, by the id of each run that ended with a question that is answered by now, the answer in words."""
    waiting = [record for record in records if record.state == "awaiting_approval"]
    entries = list(place.registry.audit.all(model)) if waiting else []
    found = {record.run.run_id: first_decision(entries, record) for record in waiting}
    return {run: LATER[entry.decision] for run, entry in found.items() if entry is not None}


def first_decision(entries: Sequence[Entry], record: RunRecord) -> Entry | None:
    """Return the first decision about the version of a run since it began; None if it waits.

    Parameters
    ----------
    entries : of the audit trail, newest first
    """
    subject = f"version {record.version}"
    found = [
        entry
        for entry in entries
        if entry.subject == subject and entry.decision in LATER and entry.at >= record.run.started_at
    ]
    return found[-1] if found else None
