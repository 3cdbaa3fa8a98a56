"""Personal data inside longer texts are found and told, and numbers that only look so are not."""

from __future__ import annotations

import random

import pytest
from stdnum import luhn
from stdnum.iban import calc_check_digits

from modelcycle.personal import detect, inside
from modelcycle.personal.inside import find_inside
from tests.unit.planted_people import people
from tests.unit.test_personal_columns import workspace_of

DRAW = random.Random(7)
NOTES = [f"called about order {number}, wants a refund of {number % 90},50 EUR" for number in range(300)]


def digits(count: int) -> str:
    return "".join(DRAW.choice("0123456789") for _ in range(count))


def card() -> str:
    number = "4" + digits(14)
    number += luhn.calc_check_digit(number)
    return f"{number[:4]} {number[4:8]} {number[8:12]} {number[12:]}"


def account() -> str:
    body = digits(18)
    return f"DE{calc_check_digits('DE00' + body)}{body}"


def grouped(text: str) -> str:
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


PERSONAL = [
    ("telephone numbers", [f"please ring +49 171 {digits(7)} after six" for _ in range(4)]),
    ("telephone numbers", [f"Rückruf unter 030/{digits(7)}, danke" for _ in range(4)]),
    ("telephone numbers", [f"Tel.: 0171 {digits(7)}" for _ in range(4)]),
    ("telephone numbers", [f"my cell (212) 555-{digits(4)} is off" for _ in range(4)]),
    ("telephone numbers", [f"from 0044 20 7{digits(3)} {digits(4)}: no answer" for _ in range(4)]),
    ("bank account numbers", [f"bitte auf {grouped(account())} UND BALD" for _ in range(4)]),
    ("bank account numbers", [f"refund to {account()}." for _ in range(4)]),
    ("payment card numbers", [f"charged {card()}, exp 12/27" for _ in range(4)]),
    ("payment card numbers", [f"card no. {card().replace(' ', '')} declined" for _ in range(4)]),
    ("e-mail addresses", [f"write to a{digits(3)}@example.org" for _ in range(4)]),
    ("telephone numbers", [f"Llamar al tel. 6{digits(8)} por la tarde" for _ in range(4)]),
    ("telephone numbers", [f"Teléfono: 6{digits(2)} {digits(3)} {digits(3)}." for _ in range(4)]),
    ("telephone numbers", [f"mi móvil es 6{digits(8)}" for _ in range(4)]),
    ("telephone numbers", [f"tél. 06.{digits(2)}.{digits(2)}.{digits(2)}.{digits(2)}" for _ in range(4)]),
    ("telephone numbers", [f"tlf 4{digits(7)}, ikke svar" for _ in range(4)]),
    ("telephone numbers", [f"Please call me at 5{digits(9)}." for _ in range(4)]),
]

HARMLESS = {
    "sums": [f"volume rose by +{n} {digits(3)} {digits(3)} units" for n in range(1, 60)],
    "offsets": [f"drift +{digits(8)} ns at sensor {n}" for n in range(60)],
    "positions": [f"+48.{digits(4)} +002.{digits(4)}/ seen" for _ in range(60)],
    "times": [f"2024-01-31T10:{n:02d}:00 +0100 started" for n in range(60)],
    "orders": [f"order 4{digits(15)} shipped" for _ in range(400)],
    "parcels": [f"parcel {digits(20)} lost" for _ in range(100)],
    "books": ["ISBN 978-3-16-148410-0", "ISBN 9780306406157", "ISBN 978-1-86197-271-2", "EAN 4006381333931"],
    "parts": [f"GB{digits(2)}WEST{digits(14)} replaced" for _ in range(400)],
    "standards": ["ISO 9001 2015-09", "EN 60601-1-2 2014", "DIN 18014 2023-06", "RFC 2104 1997-02"],
    "models": ["phone 12 Pro Max", "Phone 13 128 GB", "cell 4 of rack 17", "mobile 2024 edition", "fax 3400000"],
    "calls": ["call 17 of 2024-01-31", "call 1234567", "call centre 3", "call 5 times"],
    "ids beside a word": [f"call 61234{n:04d} was closed, cell 61234{n:04d} of pack 4" for n in range(60)],
    "devices": [f"phone 4901542032{n:05d} sold" for n in range(60)],
    "days behind a word": ["tel. 20240131", "Tel. 31.01.2024", "Telefon 2024-01-31", "telephone 31 01 2024"],
    "versions": ["upgrade 12.2.0.1 to 13.0.0.2", "from 10.0.0.1", "at 1.2.3"],
    "handles": ["@ann likes it", "3 @ 2.50 each", "see you @ noon", "foo@bar"],
    "sizes": ["100 x 200 x 300", "1 200 000 rows", "12-34-56-78", "1/2/3/4/5/6/7/8/9"],
}


@pytest.mark.parametrize(("kind", "texts"), PERSONAL)
def test_a_few_texts_among_many_are_found(kind: str, texts: list[str]) -> None:
    found = detect("remarks", [*NOTES, *texts])
    assert found is not None and found.kind == f"texts with {kind}"
    assert found.share == round(len(texts) / (len(NOTES) + len(texts)), 3)


@pytest.mark.parametrize("name", HARMLESS)
def test_numbers_that_look_so_are_no_alarm(name: str) -> None:
    assert find_inside(HARMLESS[name]) is None


def test_several_kinds_are_named_together_and_fewer_than_three_texts_are_not_told() -> None:
    both = [*NOTES, *PERSONAL[0][1], *PERSONAL[5][1], *PERSONAL[7][1]]
    found = detect("remarks", both)
    assert found is not None
    assert found.kind == "texts with telephone numbers, bank account numbers and payment card numbers"
    assert detect("remarks", [*NOTES, *PERSONAL[0][1][:2]]) is None
    late = [f"{'x ' * 400}+49 171 {digits(7)}" for _ in range(4)]
    assert detect("remarks", [*NOTES, *late]) is not None, "a number at the end of a long text counts"


def test_groups_of_an_account_are_no_telephone_number() -> None:
    account_of_many_zeros = "DE89 3704 0044 0532 0130 00"
    found = find_inside([f"{number}: pay {account_of_many_zeros}" for number in range(5)])
    assert found is not None and found.kind == "texts with bank account numbers"
    assert find_inside([f"{number} 12 0044 0532 0130 00" for number in range(5)]) is None


def test_such_a_column_is_kept_and_told_without_a_value() -> None:
    rows = [row | {"remarks": NOTES[at]} for at, row in enumerate(people(150))]
    for row, text in zip(rows, PERSONAL[0][1], strict=False):
        row["remarks"] = text
    workspace, result = workspace_of(rows)
    notes = workspace.collect(workspace.run("r2", target="left")).notes
    (told,) = [note for note in notes if note.startswith("remarks")]
    assert told.startswith("remarks: texts with telephone numbers (3 % of its values): kept; privacy: {columns:")
    assert "+49" not in told
    assert "remarks" not in workspace.schema(result).personal


def test_a_long_text_in_capital_letters_is_looked_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    ends = inside._ends_of_groups

    def measured(text: str) -> list[int]:
        looked_at.append(len(text))
        return ends(text)

    monkeypatch.setattr(inside, "_ends_of_groups", measured)
    report = "FL12 " + "PUMP REPLACED AND TESTED " * 150
    assert find_inside([f"{report}{number}" for number in range(4)]) is None
    assert find_inside([f"PAY TO {account()} {report}" for _ in range(4)]) is not None
    assert max(looked_at) < 100
