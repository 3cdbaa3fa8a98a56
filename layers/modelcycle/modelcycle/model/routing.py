"""Which version answers a request: a hash of its entity against the weights of the route.

An entity keeps its version while the weights stay the same. The newest version takes the lowest buckets, so a version
that gains weight keeps its entities: a canary that grows from 10 to 50 percent keeps its first 10.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

BUCKETS = 10_000


def entity_key(instance: Mapping[str, Any], id_columns: Sequence[str], text: str = "") -> str:
    """Return the key of the entity that a row is about: the values of its id columns, or the whole row without any.

    Parameters
    ----------
    text : the row as JSON with sorted keys, where the caller has it

    Examples
    --------
    >>> entity_key({"customer": 7, "age": 41}, ["customer"])
    '{"customer": 7}'
    >>> entity_key({"age": 41}, ["customer"])
    '{"age": 41}'
    """
    ids = {name: instance[name] for name in id_columns if instance.get(name) is not None}
    return json.dumps(ids, sort_keys=True) if ids else text or json.dumps(instance, sort_keys=True)


def version_for(model: str, weights: Mapping[int, int], entity: str) -> int:
    """Return the version that answers an entity.

    Parameters
    ----------
    weights : percent of traffic by version, 100 in total. The newest version is part of the hash: each rollout draws
        its entities anew.
    entity : its key, see `entity_key`

    Examples
    --------
    >>> version_for("churn", {3: 100}, "any")
    3
    >>> answers = [version_for("churn", {3: 90, 4: 10}, str(customer)) for customer in range(1000)]
    >>> answers.count(4)
    96
    """
    versions = sorted(weights, reverse=True)
    digest = hashlib.sha256(json.dumps([model, versions[0], entity]).encode()).digest()
    bucket = int.from_bytes(digest[:8], "big") % BUCKETS
    upper = 0
    for version in versions:
        upper += weights[version] * BUCKETS // 100
        if bucket < upper:
            return version
    return versions[-1]
