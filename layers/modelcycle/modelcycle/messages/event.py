"""Events of the bus."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """A change of the registry, announced on the bus."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    id: str
    kind: str
    model: str
    at: datetime
    detail: dict[str, Any] = {}
