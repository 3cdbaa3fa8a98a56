"""The hash of what a step's result depends on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel

from modelcycle.messages.message import Artifact
from modelcycle.messages.run import Run


def fingerprint(step: str, code: str, *parts: Any) -> str:
    """The hash of everything that a step's result depends on: its code, its inputs' hashes, its parameters.

    An artifact counts by its SHA-256 alone, a run not at all: the same inputs in another run give the same hash.
    """
    return hashlib.sha256(
        json.dumps([step, code, [_essence(part) for part in parts]], sort_keys=True).encode()
    ).hexdigest()


def _essence(part: Any) -> Any:
    if isinstance(part, Artifact):
        return part.sha256
    if isinstance(part, Run):
        return None
    if isinstance(part, BaseModel):
        return {
            name: _essence(getattr(part, name)) for name in type(part).model_fields if name not in ("cached", "seconds")
        }
    if isinstance(part, dict):
        return {str(key): _essence(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_essence(value) for value in part]
    return part
