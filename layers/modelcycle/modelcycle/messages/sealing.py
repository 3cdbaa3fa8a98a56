"""The daily seal of the audit trails."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime, Field

from modelcycle.messages.message import Message


class SealRequest(Message):
    """Seal the days that have ended. It is about all models."""

    kind: Literal["seal"]
    at: AwareDatetime | None = Field(None, description="seals the days that ended before; None means now")

    @property
    def model(self) -> str:
        return ""


class Sealed(Message):
    days: list[str] = Field(description="that were sealed by this call, or by another one at the same time")
    models: int = Field(0, description="in the newest seal")
    signed: bool = False
    behind: int = Field(0, description="days that are left for the next call")
