"""The states of a version, the transitions between them, and what a person can do in each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from modelcycle.faults import NotAllowed
from modelcycle.registry.events import EventKind

State = Literal["registered", "staged", "awaiting_approval", "live", "retired", "refused", "rejected", "rolled_back"]

TRANSITIONS: dict[State, set[State]] = {
    "registered": {"staged", "refused"},
    "staged": {"awaiting_approval", "live", "rolled_back"},  # rolled back: it was found to be worse as a shadow
    # refused: nobody approved it in time; retired: the same, and it had traffic before
    "awaiting_approval": {"staged", "rejected", "refused", "retired"},
    "live": {"retired", "rolled_back"},
    # a later run may make the version again, and ask for approval again
    "retired": {"awaiting_approval", "live", "rolled_back"},
    "rolled_back": {"staged", "refused", "live"},
    "refused": {"staged", "refused"},
    "rejected": set(),
}
AFTER_REHEARSAL: set[State] = {"staged", "refused"}  # a version with a final verdict does not get there again
STATE_EVENTS: dict[State, EventKind] = {
    "staged": "VersionStaged", "refused": "VersionRefused", "rejected": "VersionRejected",
}  # fmt: skip
ACTIONS: dict[State, str] = {"staged": "be staged", "live": "go live", "rejected": "be rejected"}
REMEDIES: dict[State, str] = {
    "registered": "`modelcycle runs {model}` shows how far its run came; run again to stage it",
    "staged": "`modelcycle promote {model}:{version}` moves traffic to it",
    "awaiting_approval": "`modelcycle approve {model}:{version}` lets it go live, `modelcycle reject` refuses it",
    "live": "`modelcycle rollback {model}` takes traffic away from it",
    "retired": "`modelcycle promote {model}:{version}` moves traffic back to it",
    "rolled_back": "`modelcycle promote {model}:{version}` moves traffic back to it",
    "refused": "`modelcycle show {model}:{version}` says why; change the data or the pipeline file and run again",
    "rejected": "a rejection is final; change the data or the pipeline file and run again",
}


class Standing(BaseModel):
    """The state of a version: since when, by whose decision, and why.

    A `final` verdict is about the model itself: wrong answers, a broken contract, a person's rejection or rollback. No
    later run stages that version again. Any other verdict (a slow rehearsal, a rollout that died) a later run may
    replace. `author` is who started the run that asks for approval; None: nobody knows, or nobody is asked.
    """

    model_config = ConfigDict(defer_build=True)

    state: State
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    by: str
    why: str = ""
    final: bool = False
    author: str | None = Field(None, exclude_if=lambda value: value is None)

    @model_validator(mode="before")
    @classmethod
    def _fill_final(cls, body: Any) -> Any:
        """Decide about records from before `final` by who wrote them: a person's verdict is final."""
        if isinstance(body, dict) and "final" not in body:
            state, by = body.get("state"), body.get("by")
            return body | {"final": state == "rejected" or (state == "rolled_back" and by != "rollout")}
        return body

    @property
    def approved(self) -> bool:
        """Whether a person approved the version, and it has not been live since."""
        return self.state == "staged" and not self.by.startswith("run ")

    def may_become(self, state: State) -> bool:
        """Return whether a transition leads from here to `state`."""
        return state in TRANSITIONS[self.state] and not (self.final and state in AFTER_REHEARSAL)


def state_in_words(state: State) -> str:
    """Return a state as it is written in a sentence.

    >>> state_in_words("awaiting_approval")
    'awaiting approval'
    """
    return state.replace("_", " ")


def remedy(model: str, version: int, state: State) -> str:
    """Return what a person can do with a version in this state."""
    return REMEDIES[state].format(model=model, version=version)


def not_allowed(model: str, version: int, state: State, wanted: State) -> NotAllowed:
    """Return the refusal of a transition: why, and what a person can do instead."""
    action = ACTIONS.get(wanted, f"become {state_in_words(wanted)}")
    return NotAllowed(
        f"version {version} is {state_in_words(state)} and may not {action}",
        f"{model}:{version}",
        remedy(model, version, state),
    )
