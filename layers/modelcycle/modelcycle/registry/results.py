"""Results of steps, by the fingerprint of their inputs, code and parameters."""

from __future__ import annotations

from typing import Any

from modelcycle.faults import Raced
from modelcycle.registry import keys
from modelcycle.registry.table import Table, Write, revision_of


class Results:
    """The results of the steps of all models."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def get(self, model: str, step: str, fingerprint: str) -> dict[str, Any] | None:
        """Return what the step returned for that fingerprint; None if it has not run yet."""
        record = self.table.get(*keys.step_result(model, step, fingerprint))
        return record.body if record else None

    def keep(
        self, model: str, step: str, fingerprint: str, result: dict[str, Any], replaces: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Record a result, unless another delivery was faster; return the one that is on record.

        Parameters
        ----------
        replaces : the recorded result that this one replaces because its artifacts are gone
        """
        key = keys.step_result(model, step, fingerprint)
        revision = 0
        if replaces is not None:
            record = self.table.get(*key)
            if record and record.body != replaces:  # another delivery has replaced it
                return record.body
            if record and record.body == result:  # the artifacts were written again, under the same names
                return record.body
            revision = revision_of(record)
        try:
            self.table.write(Write(*key, result, revision))
        except Raced:
            return self.get(model, step, fingerprint) or result
        return result
