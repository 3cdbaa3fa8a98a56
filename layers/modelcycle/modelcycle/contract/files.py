"""The files of a snapshot, as a contract knows them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from modelcycle.contract.terms import ContractFile


def contract_files(manifest: Mapping[str, Any]) -> list[ContractFile]:
    """Return the files that gave the rows, in the order of their numbers.

    Files of a join give columns, no rows: they count as part of the content of every other file. So all rows are new
    if a joined source has changed.

    Parameters
    ----------
    manifest : of `collect`

    Examples
    --------
    >>> entry = {"key": "raw/m/a.csv", "sha256": "ab", "rows": 7}
    >>> contract_files({"objects": [entry]})
    [ContractFile(key='raw/m/a.csv', content='ab', rows=7)]
    >>> joined = {"key": "landed/m/shops/b.csv", "sha256": "cd", "rows": 2, "source": "shops"}
    >>> [(file.key, file.content == "ab", file.rows) for file in contract_files({"objects": [entry, joined]})]
    [('raw/m/a.csv', False, 7)]
    """
    joined = sorted(_content(entry) for entry in manifest["objects"] if "source" in entry)
    return [
        ContractFile(key=entry["key"], content=_with(joined, _content(entry)), rows=entry["rows"])
        for entry in manifest["objects"]
        if "source" not in entry
    ]


def _content(entry: Mapping[str, Any]) -> str:
    content: str = entry.get("content") or entry["sha256"]
    return content


def _with(joined: list[str], content: str) -> str:
    return hashlib.sha256(json.dumps([content, *joined]).encode()).hexdigest() if joined else content
