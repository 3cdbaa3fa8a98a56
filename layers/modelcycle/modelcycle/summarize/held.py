"""How many requests held a value of a column, and how many held what instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelcycle.summarize.traffic import ABSENT, MASKED, MISSING, UNPARSED


@dataclass(frozen=True)
class Held:
    """Rows by VALUE, MISSING, UNPARSED, ABSENT and MASKED."""

    rows: Mapping[int, int]

    @property
    def fields(self) -> dict[str, int]:
        """The same, as fields of a `Side`: its missing rows hold no value, for whatever reason.

        >>> Held({MISSING: 2, ABSENT: 3}).fields
        {'rows': 5, 'missing': 5, 'absent': 3, 'masked': 0, 'unparsed': 0}
        """
        absent, unparsed = self.rows.get(ABSENT, 0), self.rows.get(UNPARSED, 0)
        return {
            "rows": sum(self.rows.values()),
            "missing": self.rows.get(MISSING, 0) + absent + unparsed,
            "absent": absent,
            "masked": self.rows.get(MASKED, 0),
            "unparsed": unparsed,
        }
