"""Values that parse, but are not what they were: swapped columns, placeholders, identifiers, dates, other numbers."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from modelcycle.faults import BadData
from tests.unit.clinic import Rows, text
from tests.unit.test_contract import held, live


def orders(count: int = 600, seed: int = 0, month: int = 1, customers: int = 350) -> Rows:
    draw = random.Random(seed)
    return [
        {
            "order": f"{seed * 100_000 + number:07d}",
            "width": round(draw.gauss(40, 4), 2),
            "price": round(draw.lognormvariate(3, 0.6), 2),
            "day": (date(2025, month, 1) + timedelta(days=draw.randrange(28))).strftime("%d/%m/%Y"),
            "land": draw.choices(["DE", "FR", "NL"], [5, 3, 2])[0],
            "items": draw.randrange(1, 7),
            "customer": draw.randrange(1, customers),
            "meter": round(1000 * month + 1.3 * number + draw.random(), 2),
            "state": draw.choices(["paid", "open"], [6, 3])[0],
        }
        for number in range(count)
    ]


def every_row(**cells: Callable[[Any], Any]) -> Rows:
    table = orders(seed=5, month=2)
    return [{name: cells.get(name, lambda cell: cell)(cell) for name, cell in row.items()} for row in table]


def month_first(table: Rows) -> Rows:
    """Return the orders of the first twelve days, with dates of which nobody sees that the month is first."""
    early = [row for row in table if int(row["day"][:2]) <= 12] * 2
    return [row | {"day": "/".join((row["day"][3:5], row["day"][:2], row["day"][6:]))} for row in early]


CASES: dict[str, tuple[Rows, str, str]] = {
    "swapped": (
        [row | {"width": row["price"], "price": row["width"]} for row in every_row()], "ask",
        "width: its values are those that price had",
    ),
    "placeholder": (
        [row | {"width": 0} if number % 20 == 0 else row for number, row in enumerate(every_row())], "ask",
        "does it stand for a missing one?",
    ),
    "other codes": (every_row(items=lambda n: 10 * n), "ask", "items: 600 of 600 values"),
    "day and month exchanged": (month_first(orders(seed=5, month=2)), "ask", "are day and month exchanged?"),
    "identifier with a prefix": (every_row(order=lambda v: f"ORD-{v}"), "warn", "as 'A-9' instead of '9'"),
    "lost zeros": (every_row(order=int), "warn", "without their leading zeros"),
    "repeated identifiers": (
        [row | {"order": f"{number // 2:07d}"} for number, row in enumerate(every_row())], "warn", "order: ",
    ),
    "one category only": (every_row(land=lambda _: "DE"), "warn", "land: 'DE' in all rows"),
    "no row": ([], "warn", "has 0 rows"),
}  # fmt: skip


@pytest.mark.parametrize("what", CASES)
def test_it_is_named(what: str) -> None:
    table, level, said = CASES[what]
    body = text(table) if table else text(orders()).split(b"\n")[0] + b"\n"
    _, report = held(live(text(orders())), body)
    assert any(said in violation.what for violation in report.violations if violation.level == level), report


def test_a_key_in_another_form_asks() -> None:
    pipeline: dict[str, Any] = {"id_columns": ["order"]}
    result, _ = held(live(text(orders()), **pipeline), text(every_row(order=lambda v: f"ORD-{v}")), **pipeline)
    assert any("order" in said for said in result.ask)


def test_numbers_that_grow_are_no_other_unit() -> None:
    """Customers get higher numbers, meters go on."""
    result, _ = held(live(text(orders())), text(orders(700, seed=5, month=2, customers=500)))
    assert result.ask == []


def test_a_name_in_another_unicode_form_is_explained() -> None:
    table = [{("Größe" if name == "width" else name): cell for name, cell in row.items()} for row in orders()]
    body = text(table)
    other = unicodedata.normalize("NFD", body.decode()).encode()
    with pytest.raises(BadData, match="the same letters in another Unicode form"):
        held(live(body), other.replace(b"0000", b"9000"))
