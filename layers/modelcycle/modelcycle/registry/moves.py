"""The route of a model, and its moves: which versions answer requests, and how that came about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SAME_ROLLBACK = timedelta(seconds=30)  # after a rollback; another person may not have seen it yet


class Route(BaseModel):
    """The versions that answer requests.

    `weights` are percent of the traffic by version and add up to 100. `previous` is the version that a rollback goes
    back to. `shadow` answers each request too, but nobody sees its answers. `moves` counts the changes of the route: it
    is the number of the last one.
    """

    weights: dict[int, int] = {}
    previous: int | None = None
    shadow: int | None = None
    moves: int = 0

    @property
    def champion(self) -> int | None:
        """The version with the most traffic; the older of two with the same share."""
        return champion(self.weights)

    @property
    def order(self) -> list[int]:
        """The versions that may answer: the champion, the others by share, then the previous one. Never the shadow."""
        live = sorted(self.weights, key=lambda version: (-self.weights[version], version))
        return live if self.previous is None or self.previous in self.weights else [*live, self.previous]


class Move(BaseModel):
    """One change of a route.

    `before` and `after` are its weights; `previous` and `shadow` are those of the route after the move. `rollout` is
    the name of the execution that made it, empty if a person did; `step` is the step of that rollout.
    """

    model_config = ConfigDict(defer_build=True)

    number: int
    kind: Literal["promoted", "rolled_back", "shadowed"]
    at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    by: str
    why: str
    before: dict[int, int]
    after: dict[int, int]
    previous: int | None = None
    shadow: int | None = None
    rollout: str = ""
    step: int | None = None

    @property
    def route(self) -> Route:
        """The route as this move left it; moves from before `previous` was recorded have none."""
        return Route(weights=self.after, previous=self.previous, shadow=self.shadow, moves=self.number)

    def is_same_rollback(self, by: str, asked_at: datetime) -> bool:
        """Return whether this move is the rollback that a person asks for.

        It is if they asked before it was made, or shortly after another person made it: engineers on call who see the
        same alarm take away one version, not one each. A later rollback by the same person is a new one, and so is the
        first one after the end of a shadow, which took no traffic away.
        """
        grace = timedelta() if by == self.by else SAME_ROLLBACK
        return self.kind == "rolled_back" and self.before != self.after and asked_at <= self.at + grace

    def was_made_by(self, rollout: str, version: int) -> bool:
        """Return whether a rollout of a version made this move. A rollout without a recorded name matches any."""
        return self.rolls_out(version) and (not rollout or self.rollout in ("", rollout))

    def rolls_out(self, version: int) -> bool:
        """Return whether this move made the version the shadow, or raised its share."""
        if self.kind == "shadowed":
            return self.shadow == version
        return self.kind == "promoted" and self.after.get(version, 0) > self.before.get(version, 0)


def champion(weights: dict[int, int]) -> int | None:
    """Return the version with the most traffic; the older of two with the same share.

    >>> champion({3: 50, 4: 50})
    3
    """
    return max(weights, key=lambda version: (weights[version], -version)) if weights else None
