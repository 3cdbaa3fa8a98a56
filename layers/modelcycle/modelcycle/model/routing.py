"""Which version answers whom: a hash of the entity against the route's weights.

One entity stays on one version while the weights stand, and a version that gains weight loses nobody: the newest
version holds the lowest buckets, so that a canary that grows from 10 to 50 per cent keeps its first 10.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

BUCKETS = 10_000


def entity(instance: Mapping[str, Any], id_columns: Sequence[str]) -> str:
    """Whose row it is: the values of the id columns that it holds, else the row itself."""
    ids = {name: instance[name] for name in id_columns if instance.get(name) is not None}
    return json.dumps(ids or instance, sort_keys=True)


def version_for(model: str, weights: Mapping[int, int], whose: str) -> int:
    """The version that answers an entity.

    Parameters
    ----------
    weights : per cent by version, 100 in all; the newest version is part of the hash, so that each rollout draws anew
    """
    versions = sorted(weights, reverse=True)
    digest = hashlib.sha256(json.dumps([model, versions[0], whose]).encode()).digest()
    bucket = int.from_bytes(digest[:8], "big") % BUCKETS
    reached = 0
    for version in versions:
        reached += weights[version] * BUCKETS // 100
        if bucket < reached:
            return version
    return versions[-1]
