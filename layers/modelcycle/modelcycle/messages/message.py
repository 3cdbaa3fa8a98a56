"""The base class of messages, and the address of an artifact."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelcycle.faults import BadMessage


class Message(BaseModel):
    """Base class of messages. `schema` is the version of the message's format."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True, populate_by_name=True)

    schema_number: Literal[1] = Field(1, alias="schema")

    @property
    def correlation_id(self) -> str:
        """The id that all log lines of one run or rollout share; empty means the invocation's own id."""
        return ""

    @classmethod
    def from_event(cls, event: Any) -> Self:
        """Read the message from a Lambda event.

        Raises
        ------
        BadMessage : the event is not this message; names the fields, never their values
        """
        try:
            return cls.model_validate(event)
        except ValidationError as problems:
            fields = sorted(
                {".".join(str(part) for part in problem["loc"]) or "the event" for problem in problems.errors()}
            )
            raise BadMessage(
                f"the event is not a {cls.__name__}: {', '.join(fields[:5])}",
                cls.__name__,
                "see events/",
            ) from None

    def wire(self) -> dict[str, Any]:
        """Return the message as JSON types, as a function returns it."""
        return self.model_dump(mode="json", by_alias=True)


class Artifact(BaseModel):
    """An object in S3 that is never rewritten."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    uri: str
    sha256: str
    bytes: int
