"""The daily sweep: what was deleted because it is older than `retention` says."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from modelcycle.messages.message import Message
from modelcycle.spec import MODEL_NAME

ModelName = Annotated[str, StringConstraints(pattern=MODEL_NAME)]


class SweepRequest(Message):
    models: Literal["all"] | list[ModelName] = Field(description="only of these models")
    at: datetime | None = Field(None, description="the moment from which ages count; default: now")

    @property
    def model(self) -> str:
        """Of log lines: it is about no one model."""
        return ""


class Swept(Message):
    models: int = Field(description="whose pipeline file has a retention")
    deleted: dict[str, int] = Field({}, description="versions of objects, by class of data")
    failed: int = Field(0, description="versions that S3 did not delete; the next sweep tries again")
    left: list[str] = Field([], description="models without time, or with a fault in their pipeline file or registry")
