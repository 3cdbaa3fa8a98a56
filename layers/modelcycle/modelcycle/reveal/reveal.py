"""Decrypt cells for a person; who, what columns, how many cells and why are in the audit trail before."""

from __future__ import annotations

from typing import Any

from modelcycle.faults import BadRequest, NotAllowed, Unknown
from modelcycle.json_pointer import json_pointer
from modelcycle.personal.encryption import PREFIX, decrypt, encryption_key
from modelcycle.pseudonyms import Macs, pseudonym, pseudonym_key
from modelcycle.registry import Entry, Registry, keys
from modelcycle.reveal.reveal_request import REMEDY, RevealRequest

SUBJECT = "personal data"


def reveal(request: RevealRequest, *, registry: Registry, service: Macs) -> dict[str, Any]:
    """Return the values of cells, and the pseudonyms of values.

    The entry is written before anything is returned: without it, nobody sees a value. It has no value. A request that
    is delivered twice has one entry.

    Parameters
    ----------
    service : asks the stack's key

    Raises
    ------
    Unknown : there is no such model
    BadRequest : names each cell that is not encrypted, or not by this stack for this model and column
    Transient : the key service or the registry does not answer; nothing is shown
    """
    model = request.model
    if not registry.runs.has_model(model):
        raise Unknown(f"there is no model {model}", "", "check the name in the path")
    values = _decrypted(request, encryption_key(service, model)) if request.cells else {}
    made: list[str] = []
    if request.values:
        own = pseudonym_key(service, model)
        made = [str(pseudonym(own, value)) for value in request.values]
    evidence: dict[str, Any] = {"cells": {column: len(cells) for column, cells in values.items()}}
    if made:
        evidence["pseudonyms"] = len(made)
    entry = Entry(subject=SUBJECT, decision="reveal", by=request.by, why=request.why, evidence=evidence)
    registry.audit.add(model, keys.decision_to_reveal(request.request), entry)
    return {"model": model, "values": values, "pseudonyms": made}


def _decrypted(request: RevealRequest, key: bytes) -> dict[str, list[str]]:
    wrong: list[tuple[str, str]] = []
    values: dict[str, list[str]] = {}
    for column, cells in request.cells.items():
        values[column] = []
        for number, cell in enumerate(cells):
            try:
                if not cell.startswith(PREFIX):
                    raise NotAllowed("the cell is not encrypted")
                values[column].append(decrypt(key, cell, column))
            except NotAllowed as fault:
                wrong.append((json_pointer("cells", column, number), fault.what))
    if wrong:
        raise BadRequest.at(wrong, REMEDY)
    return values
