"""The history of a route: its moves, and where a rollback goes along them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from pydantic import BaseModel

from modelcycle.registry.versions import State

SAME_ROLLBACK = timedelta(seconds=30)  # in which a second person does not know yet of the first one's rollback
EARLIER: set[State] = {"staged", "awaiting_approval", "retired"}  # states of versions that a rollback goes back to


class Move(BaseModel):
    """One line of the history of a route.

    `rollout` is the name of the execution that moved, empty for a person's move; `step` is its step.
    """

    number: int
    kind: Literal["promoted", "rolled_back"]
    at: datetime
    by: str
    why: str
    before: dict[int, int]
    after: dict[int, int]
    rollout: str = ""
    step: int | None = None

    def answers(self, by: str, asked_at: datetime) -> bool:
        """Whether this move is the rollback that somebody asks for.

        It is where they asked before it was made, or shortly after another person made it: on-call engineers who see
        the same alarm take one version away, not one each. The same person's next rollback is another one.
        """
        grace = timedelta() if by == self.by else SAME_ROLLBACK
        return self.kind == "rolled_back" and asked_at <= self.at + grace

    def is_of(self, rollout: str, version: int) -> bool:
        """Whether a rollout of a version made this move. One whose name is not on record counts as the same."""
        raised = self.after.get(version, 0) > self.before.get(version, 0)
        return self.kind == "promoted" and raised and (not rollout or self.rollout in ("", rollout))


class History:
    """The moves of a route, newest first, and what became of its versions."""

    LIMIT: ClassVar[int] = 1000  # moves that a rollback looks back

    def __init__(self, moves: list[Move], state_of: Callable[[int], State]) -> None:
        self.moves = moves
        self.state_of = state_of
        self.seen = {version for move in moves for version in move.after}  # versions that have had traffic

    def last(self, number: int) -> Move | None:
        """The move of that number; None where there is none."""
        return next((move for move in self.moves if move.number == number), None)

    def before(self, version: int) -> int | None:
        """The version that was live before `version` came, past those that were rolled back or rejected themselves."""
        promotions = [move for move in self.moves if move.kind == "promoted"]
        came = next(
            (
                index
                for index, move in enumerate(promotions)
                if champion(move.after) == version != champion(move.before)
            ),
            len(promotions),
        )
        for move in promotions[came:]:
            earlier = champion(move.before)
            if earlier not in (None, version) and self.state_of(earlier) in EARLIER:
                return earlier
        return None

    def servable(self, live: dict[int, int]) -> dict[int, State]:
        """The versions with traffic in the past, without those that are live, and their states."""
        states = {version: self.state_of(version) for version in sorted(self.seen - live.keys())}
        return {version: state for version, state in states.items() if state not in ("refused", "rejected")}


def champion(weights: dict[int, int]) -> int | None:
    """The version with the most traffic; the older one where two have as much."""
    return max(weights, key=lambda version: (weights[version], -version)) if weights else None
