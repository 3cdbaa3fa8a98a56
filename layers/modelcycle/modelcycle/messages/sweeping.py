"""The daily sweep: what was deleted because it is older than `retention` says."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from modelcycle.messages.message import Message


class SweepRequest(Message):
    model: str = Field("", description="empty: all models")
    at: datetime | None = Field(None, description="the moment from which ages count; default: now")


class Swept(Message):
    models: int = Field(description="whose pipeline file has a retention")
    deleted: dict[str, int] = Field({}, description="versions of objects, by class of data")
    failed: int = Field(0, description="versions that S3 did not delete; the next sweep tries again")
    left: list[str] = Field([], description="models for which there was no time, or whose pipeline file has a fault")
