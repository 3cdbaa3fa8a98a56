"""Rows with odd column names, and a champion that has learned from some of them."""

from __future__ import annotations

import random
from typing import Any

from modelcycle.model.columns import Columns, Texts
from modelcycle.model.fields import Field
from tests.unit.snapshots import TARGET, TEST, TRAIN, VALIDATION, Given, Model, Row, recipe

AGE, WORD, DAY, OK, NOTE = "the age; in years", 'w"ord', "day", "o'k", "nóte"
FIELDS = [
    Field(name=AGE, type="number"), Field(name=WORD, type="text"),
    Field(name=DAY, type="datetime", format="%d.%m.%Y"), Field(name=OK, type="boolean", true=["ja"], false=["nein"]),
]  # fmt: skip
WHOLE = recipe(
    {AGE: "number", WORD: "text", DAY: "datetime", OK: "text", NOTE: "text"}, day="%d.%m.%Y"
)  # the model does not read NOTE


def make_rows(count: int, seed: int = 0) -> list[Row]:
    draw = random.Random(seed)
    return [
        {
            AGE: f"{draw.gauss(40, 9):.3f}", WORD: draw.choice(["a", "b", "ü", ""] * 5 + ["z"]),
            DAY: f"{draw.randint(1, 28):02}.{draw.randint(1, 12):02}.2024", OK: draw.choice(["ja", "NEIN", None]),
            NOTE: f"note {draw.random()}", TARGET: draw.choice(["no", "yes"]),
        }
        for _ in range(count)
    ]  # fmt: skip


def parts_of(count: int, seed: int = 1) -> list[int]:
    draw = random.Random(seed)
    return draw.choices([TRAIN, VALIDATION, TEST], [0.6, 0.1, 0.3], k=count)


ROWS, PARTS = make_rows(400), parts_of(400)
BEFORE = Given(ROWS, PARTS, WHOLE, FIELDS)


def changed(rows: list[Row], **cells: Any) -> list[Row]:
    """Return rows with other cells; each is a function of the text."""
    return [{name: cells[name](text) if name in cells else text for name, text in row.items()} for row in rows]


def champion_and(now: Given, before: Given = BEFORE, **version: Any) -> tuple[Model, Any]:
    model = Model()
    model.go_live(before, **version)
    return model, model.find(now, "r2")


def judged(model: Model, found: Any, now: Given) -> list[int]:
    """The positions in the snapshot of the rows on which the champion is judged."""
    tests = [position for position, part in enumerate(now.parts) if part == TEST]
    return [tests[position] for position in model.positions(found)]


def numbers(columns: Columns, name: str) -> Any:
    values = columns.values[name]
    assert not isinstance(values, Texts)
    return values


OTHER_PARTS = parts_of(400, seed=2)  # another split: most of its test rows were training rows before
NEW_TO_IT = [n for n in range(400) if PARTS[n] == TEST and OTHER_PARTS[n] == TEST]
