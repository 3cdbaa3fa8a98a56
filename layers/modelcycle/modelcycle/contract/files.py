"""The files of a snapshot, as a contract knows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelcycle.contract.terms import ContractFile


def contract_files(manifest: Mapping[str, Any]) -> list[ContractFile]:
    """Return the files of a snapshot, in the order of their numbers, without those of live requests, which come last:
    these are watched while they arrive, and lack the columns that the model does not read.

    Parameters
    ----------
    manifest : of `collect`

    Examples
    --------
    >>> contract_files({"objects": [{"key": "raw/m/a.csv", "sha256": "ab", "rows": 7}]})
    [ContractFile(key='raw/m/a.csv', content='ab', rows=7, joined=False)]
    """
    return [
        ContractFile(
            key=entry["key"],
            content=entry.get("content") or entry["sha256"],
            rows=entry["rows"],
            joined="source" in entry,
        )
        for entry in manifest["objects"]
        if "traffic" not in entry
    ]
