"""The base class of messages: how one is read, and what is refused."""

from __future__ import annotations

import re
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelcycle.faults import BadMessage
from modelcycle.messages.artifact import Artifact, foreign_names
from modelcycle.spec import MODEL_NAME

__all__ = ["Artifact", "Message"]


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

        A role may read the objects of all models. That a function reads only those of the model that it was told is
        decided here, for all messages.

        Raises
        ------
        BadMessage : the event is not this message, or names objects of another model; names the fields, never their
            values
        """
        try:
            message = cls.model_validate(event)
        except ValidationError as problems:
            fields = sorted(
                {".".join(str(part) for part in problem["loc"]) or "the event" for problem in problems.errors()}
            )
            raise BadMessage(
                f"the event is not a {cls.__name__}: {', '.join(fields[:5])}",
                cls.__name__,
                "see events/",
            ) from None
        _refuse_other_models(message)
        return message

    def wire(self) -> dict[str, Any]:
        """Return the message as JSON types, as a function returns it."""
        return self.model_dump(mode="json", by_alias=True)


def _refuse_other_models(message: Message) -> None:
    """Raise BadMessage if the message is about no model that can exist, or names an object of another one."""
    model, kind = getattr(message, "model", ""), type(message).__name__
    if not model:  # of an execution that has no run
        return
    if not re.fullmatch(MODEL_NAME, model):
        raise BadMessage("the event names a model that cannot exist", kind, "see `name` in docs/limits.md")
    fields = foreign_names(message, model)
    if fields:
        raise BadMessage(
            f"the event is about {model}, but names another model or its objects: {', '.join(fields[:5])}", kind,
            "send the results of one run only",
        )  # fmt: skip
