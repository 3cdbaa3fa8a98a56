"""Turn the captured answers of a model's past hours into Parquet."""

from __future__ import annotations

from modelcycle.messages import Compacted, CompactRequest
from modelcycle.store import Store


def compact(request: CompactRequest, *, data: Store) -> Compacted:
    """Return what was compacted."""
    return Compacted(model=request.model, hours=0, rows=0, objects=0)
