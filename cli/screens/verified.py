"""The screen of `verify`."""

from __future__ import annotations

from cli.screens.lines import count, more, size
from cli.verification.findings import Findings

MAX_FAULTS = 50  # on the screen; --json has all


def verified_text(model: str, version: int | None, findings: Findings) -> str:
    """Return what was verified, or each fault by where it is and what is wrong."""
    name = model if version is None else f"{model}:{version}"
    counts = findings.counts
    entries = f"{counts['entries']:,} {'entry' if counts['entries'] == 1 else 'entries'}"
    verified = (
        f"{entries}, {count(counts['records'], 'record')}, {count(counts['objects'], 'object')}"
        f" ({size(counts['bytes'])}), {count(counts['seals'], 'seal')}"
    )
    notes = list(findings.notes)
    if counts["expired"]:
        notes.append(f"{count(counts['expired'], 'object')} of short life are gone, as the buckets' rules want")
    if counts["erased"]:
        notes.append(f"{count(counts['erased'], 'object')} were replaced or removed by erasures, as the trail says")
    if counts["unnamed"]:
        notes.append(
            f"{count(counts['unnamed'], 'object')} are named by no record: checked by the checksum beside them"
        )
    if counts["signed"]:
        notes.append(f"signatures of versions that are genuine: {counts['signed']}")
    if counts["unsigned"]:
        notes.append(f"{count(counts['unsigned'], 'seal')} have no signature")
    lines = [f"    {note}" for note in notes]
    faults = findings.faults
    if not faults:
        return "\n".join([f"{name}: verified: {verified}", *lines])
    head = f"{name}: {count(len(faults), 'fault')} in {verified}"
    named = [f"  {fault.where}\n      {fault.what}" for fault in faults[:MAX_FAULTS]]
    return "\n".join([head, "", *named, *more(len(faults) - MAX_FAULTS), "", *lines]).rstrip()
