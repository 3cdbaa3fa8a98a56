"""The hash of everything that a step's result depends on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel

from modelcycle.messages.message import Artifact
from modelcycle.messages.run import Run

NOT_CONTENT = ("cached", "seconds", "ends_at")  # fields about how a result was obtained, not about its content


def fingerprint(step: str, code: str, *parts: Any) -> str:
    """Return the SHA-256 of a step's name, its code, its inputs and its parameters.

    An artifact counts by its SHA-256 only, and a run does not count: the same inputs in another run give the same hash.

    Parameters
    ----------
    code : version of the code
    parts : messages and JSON values
    """
    content = [step, code, [_content(part) for part in parts]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _content(part: Any) -> Any:
    """Return what the hash covers of a value, as JSON types."""
    if isinstance(part, Artifact):
        return part.sha256
    if isinstance(part, Run):
        return None
    if isinstance(part, BaseModel):
        return {name: _content(getattr(part, name)) for name in type(part).model_fields if name not in NOT_CONTENT}
    if isinstance(part, dict):
        return {str(key): _content(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_content(value) for value in part]
    return part
