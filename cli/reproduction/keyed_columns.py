"""What of a version cannot be made again without the stack's keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEYED = ("pseudonymise", "encrypt")


def keyed_columns(lineage: Mapping[str, Any] | None) -> list[str]:
    """Return the columns of a lineage that were made with a key, which only the stack's functions can use.

    >>> keyed_columns({"data": {"objects": {"personal": {"dni": {"treatment": "pseudonymise"}}}}})
    ['dni']
    >>> keyed_columns(None)
    []
    """
    data = (lineage or {}).get("data") or {}
    columns: dict[str, Any] = (data.get("objects") or {}).get("personal") or {}
    return [name for name, column in columns.items() if column["treatment"] in KEYED]
