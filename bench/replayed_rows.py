"""Histories to replay: rows in the order of time, of which a model has learned from the first months.

bikeshare  Washington, 2011, a row an hour. The model has learned from January to March. Left out are `casual` and
           `registered`, which add up to the target, and month and day, of which it has seen no later ones.
made-up    Support tickets in German, five months of 30 rows a day by default, with names that are awkward in SQL, CSV
           and JSON. From a day of the fourth month on, the priority says the opposite of what it said before.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "examples" / "data"
WATCHED = "monitoring: {window_hours: 720, labels_days: 75}\nretraining: {on_degraded: false}\n"
"""Windows of a month, outcomes that are a month late, and one version for the whole replay."""

Row = dict[str, str]


@dataclass(frozen=True)
class History:
    """Rows of several months.

    Parameters
    ----------
    rows : in the order of time, with the target
    at : of each row, when it would have been asked for
    learned : months of which the model has learned, the first ones
    changed : when the relation of columns and target really changed, where that is known
    """

    name: str
    pipeline: str
    target: str
    rows: Sequence[Row]
    at: Sequence[datetime]
    learned: int
    changed: datetime | None = None

    @property
    def months(self) -> list[tuple[datetime, datetime]]:
        """The start and end of each month."""
        starts = [self.at[0].replace(day=1, hour=0, minute=0, second=0, microsecond=0)]
        while starts[-1] <= self.at[-1]:
            starts.append((starts[-1] + timedelta(days=32)).replace(day=1))
        return list(itertools.pairwise(starts))

    def of(self, start: datetime, end: datetime) -> list[tuple[datetime, Row]]:
        """Return the rows of a time, with their moments."""
        return [(at, row) for at, row in zip(self.at, self.rows, strict=True) if start <= at < end]


def bikeshare() -> History:
    """Return the rows of Bikeshare."""
    with gzip.open(DATA / "bikeshare.csv.gz", "rt", newline="") as file:
        read = list(csv.DictReader(file))
    at = [datetime(2011, 1, 1, tzinfo=UTC) + timedelta(days=int(r["day"]) - 1, hours=int(r["hr"])) for r in read]
    left_out = {"mnth", "day", "hr", "casual", "registered"}
    rows = [
        {"when": f"{moment:%Y-%m-%d %H:%M}"} | {name: value for name, value in row.items() if name not in left_out}
        for moment, row in zip(at, read, strict=True)
    ]
    pipeline = f"name: bikeshare-months\ntarget: bikers\ntime_column: when\n{WATCHED}"
    return History("bikeshare-months", pipeline, "bikers", rows, at, learned=3)


def made_up(rows_a_day: int = 30, months: int = 5, seed: int = 0, trials: int = 3) -> History:
    """Return tickets and whether they escalate; the relation changes on the 10th of the fourth month."""
    chance = random.Random(seed)
    first, changed = datetime(2020, 9, 1, tzinfo=UTC), datetime(2020, 12, 10, tzinfo=UTC)
    end = (first + timedelta(days=31 * months)).replace(day=1)
    rows, at = [], []
    moment = first
    while moment < end:
        priority, hours = chance.choice(["hoch, sofort", 'mittel "normal"', "tief"]), chance.expovariate(1 / 20)
        age, older = chance.gauss(40, 10), chance.gauss(0, 1)
        urgent = {"hoch, sofort": 1.5, 'mittel "normal"': 0.0, "tief": -1.5}[priority] * (
            -1 if moment >= changed else 1
        )
        escalates = urgent + (age - 40) / 10 + hours / 20 - 1 + chance.gauss(0, 0.7) > 0
        rows.append({
            "gefragt am": f"{moment:%Y-%m-%d %H:%M}", "Priorität": priority, 'Stunden "offen"': f"{hours:.2f}",
            "Alter.Kunde": f"{age:.1f}", "alter.kunde": f"{older:.2f}", "eskaliert?": "ja" if escalates else "nein",
        })  # fmt: skip
        at.append(moment)
        moment += timedelta(days=1) / rows_a_day
    pipeline = f"name: tickets\ntarget: eskaliert?\ntime_column: gefragt am\ntraining: {{trials: {trials}}}\n{WATCHED}"
    return History("tickets", pipeline, "eskaliert?", rows, at, learned=3, changed=changed)


HISTORIES = {"bikeshare": bikeshare, "made-up": made_up}
