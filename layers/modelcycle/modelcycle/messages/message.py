"""The base of all messages, and the address of an artifact."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelcycle.faults import BadMessage


class Message(BaseModel):
    """Base of all messages. `schema` is the number of the message's shape; a reader accepts what it knows."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    schema_number: Literal[1] = Field(1, alias="schema")

    @classmethod
    def read(cls, event: Any) -> Self:
        """The message in a Lambda event.

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
                f"the event is no {cls.__name__}: {', '.join(fields[:5])}", cls.__name__, "see events/ for one of each"
            ) from None

    def wire(self) -> dict[str, Any]:
        """The message as JSON types, the way Lambda answers."""
        return self.model_dump(mode="json", by_alias=True)


class Artifact(BaseModel):
    """An object in S3 that is never rewritten."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    uri: str
    sha256: str
    bytes: int
