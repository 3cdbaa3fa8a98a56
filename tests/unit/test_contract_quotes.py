"""What a run says of new values: the registry keeps its sentences, so none quotes a cell of one person."""

from __future__ import annotations

import pytest

from modelcycle.faults import BadData
from tests.unit.clinic import rows, text
from tests.unit.test_contract import held, live

RARE = "Zwolle-Øst"


def sent(count: int, column: str, value: str) -> bytes:
    """Return a month in which so many rows have a value that was not there."""
    table = rows(1200, 1)
    return text([row | ({column: value} if number < count else {}) for number, row in enumerate(table)])


def test_a_new_text_of_few_rows_is_counted_and_the_report_has_it() -> None:
    result, report = held(live(text(rows())), sent(4, "town", RARE))
    said = [sentence for sentence in (*result.warned, *result.ask) if "report.json has examples" in sentence]
    assert len(said) == 1
    assert "4 of 1,200" in said[0]
    assert "february.csv rows 1, 2, 3" in said[0]
    assert "Zwolle" not in result.model_dump_json()
    assert RARE in [example.text for violation in report.violations for example in violation.examples]


def test_a_new_text_that_several_rows_have_is_named() -> None:
    result, _ = held(live(text(rows())), sent(5, "town", RARE))
    assert any(f"'{RARE}'" in sentence for sentence in (*result.warned, *result.ask))


def test_a_new_class_of_few_rows_is_counted() -> None:
    with pytest.raises(BadData, match="4 of 1,200 rows are of classes that were not there: 1 of few rows") as fault:
        held(live(text(rows())), sent(4, "state", RARE), schema={"levels": {"classes": "fail"}})
    assert "Zwolle" not in str(fault.value)


def test_another_spelling_of_a_usual_text_is_named_even_if_one_row_has_it() -> None:
    result, _ = held(live(text(rows())), sent(1, "town", "LYON"))
    assert any("'LYON' (likely 'Lyon')" in sentence for sentence in (*result.warned, *result.ask))


def test_no_text_of_a_personal_column_is_named_however_many_rows_have_it() -> None:
    def named(count: int, seed: int, names: list[str]) -> bytes:
        return text([row | {"First Name": names[n % len(names)]} for n, row in enumerate(rows(count, seed))])

    workspace = live(named(600, 0, ["Maria", "Thomas", "Peter", "Olga", "Ines"]), privacy={"detected": "tell"})
    result, _ = held(workspace, named(600, 1, ["Jessica", "Rahul", "Fatima"]), privacy={"detected": "tell"})
    said = [*result.warned, *result.ask]
    assert any(sentence.startswith("First Name: ") for sentence in said)
    assert [name for name in ("Jessica", "Rahul", "Fatima") if name in " ".join(said)] == []
