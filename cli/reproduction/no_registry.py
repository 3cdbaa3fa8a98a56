"""A registry that keeps nothing: every step runs, and no other run can be in the way."""

from __future__ import annotations

from typing import Any

from modelcycle.messages import Run
from modelcycle.registry import Leases, Results


class NoResults(Results):
    """Keeps nothing: every step runs."""

    def __init__(self) -> None:
        pass

    def get(self, model: str, step: str, fingerprint: str) -> None:
        return None

    def keep(
        self, model: str, step: str, fingerprint: str, result: dict[str, Any], replaces: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return result


class NoLeases(Leases):
    """Records nothing: no other run can be in the way."""

    def __init__(self) -> None:
        pass

    def mark_as_read(self, run: Run, objects: Any) -> None:
        pass
