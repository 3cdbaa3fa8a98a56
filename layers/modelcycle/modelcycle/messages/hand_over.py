"""Work that a function hands over to a container, and what the container leaves."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from modelcycle.messages.message import Artifact, Message

Container = Literal["fargate", "sagemaker"]


class HandedOver(Message):
    """What a function returns instead of its result. After the container it is called again with the same request."""

    model: str
    step: str
    container: Container
    why: str = Field(description="why the work is not done in the function, as a sentence for people")
    handed_over: Artifact = Field(description="JSON: `Assignment`")


class Assignment(BaseModel):
    """What a container has to do."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    step: str
    code: str = Field(description="version of the functions' code; the container must have the same")
    why: str
    request: dict[str, Any] = Field(description="the message that the function was given, as JSON")
    outcome_key: str = Field(description="where the container leaves its `ContainerOutcome`")


class ContainerOutcome(BaseModel):
    """How a container ended its work. Its result is recorded as that of the function would be."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    result: dict[str, Any] | None = None
    fault: str = Field("", description="class of the error that the step raised; empty: none")
    text: str = Field("", description="the error's text")
    peak_megabytes: int = Field(0, description="the largest resident set of the step's process")
