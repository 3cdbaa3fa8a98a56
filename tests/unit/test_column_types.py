"""What a column holds is decided over all its rows, and said."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.unit.column_readings import decide, decide_one

DICE = random.Random(0)
PRICES = [f"{DICE.uniform(1, 5000):.2f}" for _ in range(400)]
DAYS = [datetime(2021, 3, 1, tzinfo=UTC) + timedelta(days=n) for n in range(400)]


def with_noise(texts: list[str], *words: str, share: float = 0.1) -> list[str]:
    every = round(1 / share)
    return [words[row // every % len(words)] if row % every == 0 else text for row, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("texts", "type_", "format_", "words"),
    [
        (with_noise(PRICES, "n/a", "abc"), "number", "", "40 cells are missing: 'abc' (20), 'n/a' (20)"),
        (with_noise(PRICES, "-inf", "#NUM!"), "number", "", "'-inf' (20)"),
        (with_noise(PRICES, "tbc", share=0.2), "number", "", "80 cells are missing: 'tbc' (80)"),
        ([text.replace(".", ",") for text in PRICES], "number", "1234,56", "such as"),
        ([f"{float(text):,.2f}" for text in PRICES], "number", "1,234.56", ""),
        ([f"₹{n}" for n in ("1,23,456.50", "12,345.00", "99.00")], "number", "1,234.56", ""),
        (["1,234", "5,678", "12,345"], "number", "1,234.56", ""),
        (["1,234", "5,678", "12,5"], "number", "1234,56", ""),
        (["4,341E+00", "1,205E+01", "9,870E-01"], "number", "1234,56", ""),
        (["Rs. 9,26,403/-", "Rs. 12,000/-", "Rs. -1,500/-"], "number", "1,234.56", ""),
        (with_noise([str(n % 90) for n in range(400)], ">90"), "number", "", "'>90' (40)"),
        (["+493012345678", "+33142685300", "+12025550143"], "text", "", "telephone numbers"),
        (["+12", "-7", "+3"], "number", "", ""),
        (["72 kg", "65.5 kg", "80kg"], "number", "1234.56 kg", "numbers such as '72 kg' are read as 1234.56 kg"),
        (["1.248 CC", "998 CC", "12.500,5 CC"], "number", "1.234,56 CC", ""),
        (["1 year", "2 years", "30 years"], "number", "1234.56 years", ""),
        ([*["72 kg"] * 19, "65"], "number", "1234.56 kg", ""),
        ([*(f"{n} kg" for n in range(40, 79)), "150 lb"], "number", "1234.56 kg", "missing: '150 lb' (10)"),
        (["72 kg", "150 lb", "65 kg"], "text", "", ""),
        (["12A", "13A", "14A"], "text", "", ""),
        (["007 kg", "012 kg"], "text", "", ""),
        (["1st", "2nd"], "text", "", ""),
        (["12 min", "5 min"], "number", "duration", ""),
        (["12 %", "3,5 %", "−4,0 %"], "number", "1234,56", "52% is the number 52"),
        (["(1.50)", "2.25", "3.00"], "number", "1234.56", ""),
        (["1", "2", "3", "K"], "text", "", ""),
        (["38", "40", "42", "M"], "text", "", ""),
        (["F", "N"], "text", "", ""),
        (["T", "F", "T", "T"], "boolean", "", ""),
        (["yes", "no", "maybe"], "text", "", ""),
        (["01067", "80331", "20095"], "text", "", "leading zeros"),
        (["0", "5", "10"], "number", "", ""),
        (["4006381330021", "4006381330028", "4006381330035"], "text", "", "1 of 3 different ones"),
        ([2**60, 2**60 + 1, 2**60 + 2], "text", "", "1 of 3 different ones"),
        ([2**64 - 1 - 10**15 * n for n in range(40)], "text", "", "20 digits"),
        ([DICE.randrange(10**9, 10**10) for _ in range(400)], "number", "", ""),
        ([10**9 * 3 + n for n in range(400)], "text", "", "no value repeats"),
        ([int(day.timestamp()) for day in DAYS], "number", "", ""),
        (["85123A", "71053", "84406B", "22752"] * 30, "text", "", ""),
        ([day.strftime("%Y%m%d") for day in DAYS], "datetime", "%Y%m%d", "bare digits"),
        (with_noise([f"{day:%Y%m%d}" for day in DAYS], "99991231", "00000000", "n/a", "n/a"), "datetime", "%Y%m%d",
         "20 cells stand for no date: '99991231' (10), '00000000' (10); 20 cells are missing: 'n/a' (20)"),
        ([day.strftime("%d-%b-%y").upper() for day in DAYS], "datetime", "%d-%b-%y", ""),
        ([day.strftime("%G-W%V") for day in DAYS], "datetime", "%G-W%V", ""),
        ([day.strftime("%d.%m.%y") for day in DAYS], "datetime", "%d.%m.%y", ""),
        ([day.strftime("%m/%d/%Y, %I:%M:%S %p") for day in DAYS], "datetime", "%m/%d/%Y, %I:%M:%S %p", ""),
        ([day.strftime("%a %b %d %H:%M:%S %Y") for day in DAYS], "datetime", "%a %b %d %H:%M:%S %Y", ""),
        (with_noise([f"{day:%Y-%m-%d}" for day in DAYS], "9999-12-31", "0000-00-00"), "datetime", "iso",
         "40 cells stand for no date: '9999-12-31' (20), '0000-00-00' (20)"),
        ([f"{day:%b} {day.day:2} {day:%Y} {10 - day.day % 2:2}:05AM" for day in DAYS], "datetime",
         "%b %d %Y %I:%M%p", ""),
        ([day.strftime("%d-%b-%y %I.%M.%S.123456000 %p").upper() for day in DAYS], "datetime",
         "%d-%b-%y %I.%M.%S.%f %p", ""),
        ([day.strftime("%d%b%Y:%H:%M:%S").upper() for day in DAYS], "datetime", "%d%b%Y:%H:%M:%S", ""),
        ([day.strftime("%d%b%Y").lower() for day in DAYS], "datetime", "%d%b%Y", ""),
        ([day.strftime("%Y%m%dT%H%M%SZ") for day in DAYS], "datetime", "%Y%m%dT%H%M%SZ", ""),
        ([f"{day.year}年{day.month}月{day.day}日" for day in DAYS], "datetime", "%Y年%m月%d日", ""),
        (["01/02/2024", "03/04/2024"], "datetime", "%m/%d/%Y", "features.dates: {c: '%d/%m/%Y'}"),
        (["7:05 PM", "11:30 AM"], "number", "clock", "as seconds"),
        (["1 days 02:03:04", "0 days 00:10:00"], "number", "duration", "durations"),
        (["PT5M30S", "PT2H"], "number", "duration", "durations"),
        (["192.168.0.1", "10.0.0.7"], "text", "", ""),
        (["12 Main St", "7 Oak St"], "text", "", ""),
        (["red", "Red", "blue"], "text", "", "spellings of one class? 'red' (134) and 'Red' (133)"),
        (["a", "b", "n/a"], "text", "", "133 cells are missing: 'n/a' (133)"),
        (["a", "-", "-", "-"], "text", "", ""),
    ],
)  # fmt: skip
def test_a_column_is_read_as_a_careful_person_reads_it(texts: list[Any], type_: str, format_: str, words: str) -> None:
    column = decide_one(texts).column
    assert (column.type, column.format) == (type_, format_), column.note
    assert words in column.note


def test_the_example_of_numbers_is_one_of_them() -> None:
    assert "numbers such as '72 kg' are" in decide_one(["(kg)", *["72 kg"] * 399]).column.note


def test_a_target_with_a_unit_is_classes_if_it_has_few_values() -> None:
    few = decide(c=["1", "2"] * 200, y=["36 months", "60 months"] * 200)["y"].column
    assert (few.type, few.format) == ("text", "")
    many = decide(c=["1", "2"] * 200, y=[f"{n} kg" for n in range(400)])["y"].column
    assert (many.type, many.format) == ("number", "1234.56 kg")


@pytest.mark.parametrize(("name", "type_"), [("app_version", "text"), ("Firmware", "text"), ("version", "text"),
                                             ("conversion", "number"), ("price", "number")])  # fmt: skip
def test_a_version_1_10_is_not_1_1(name: str, type_: str) -> None:
    assert decide_one(["1.1", "1.10", "1.2"], name).column.type == type_
    assert decide_one(["1.1", "1.3", "1.2"], name).column.type == "number"


@pytest.mark.parametrize("name", ["created_at", "eventTime", "timestamp", "date", "ts"])
@pytest.mark.parametrize(("format_", "factor"), [("epoch_s", 1), ("epoch_ms", 1000)])
def test_a_count_since_1970_is_a_date_if_the_name_says_so(name: str, format_: str, factor: int) -> None:
    texts = [int(day.timestamp()) * factor for day in DAYS]
    assert (decide_one(texts, name).column.type, decide_one(texts, name).column.format) == ("datetime", format_)
    assert decide_one([DICE.randrange(400) for _ in texts], name).column.type == "number"


def test_other_columns_of_the_file_decide_what_one_column_leaves_open() -> None:
    both = [f"{n % 12 + 1:02d}/{n % 11 + 1:02d}/2024" for n in range(400)]
    days = [f"{n % 28 + 1:02d}/{n % 12 + 1:02d}/2024" for n in range(400)]
    decided = decide(both=both, days=days)
    assert (decided["both"].column.format, decided["days"].column.format) == ("%d/%m/%Y", "%d/%m/%Y")
    assert "as in another column" in decided["both"].column.note and decided["both"].loud
    group = [f"{n % 9 + 1}.{n % 900 + 100}" for n in range(400)]
    assert decide(group=group)["group"].column.format == ""
    comma = [f"{n},{n % 10}" for n in range(400)]
    assert decide(group=group, comma=comma)["group"].column.format == "1.234,56"


@pytest.mark.parametrize(
    ("word", "cells", "missing"),
    [("None", 100, False), ("unknown", 40, False), ("NA", 3, True), ("#N/A", 40, True), ("None", 7, True)],
)
def test_a_word_is_a_class_of_the_target_if_it_has_the_rows_of_one(word: str, cells: int, missing: bool) -> None:
    target = decide(y=[word if row < cells else "ab"[row % 2] for row in range(400)])["y"]
    assert target.column.type == "text"
    assert (word in target.column.missing_values) == missing
    assert target.loud
    assert ("are missing" if missing else "is a class; if it means a missing value") in target.column.note


def test_a_word_that_stands_beside_numbers_is_missing_in_texts_too() -> None:
    numbers = [str(n / 7) if n % 10 else "NA" for n in range(400)]
    texts = ["ab"[n % 2] if n % 5 else "NA" for n in range(400)]
    assert "NA" in decide(c=texts, n=numbers)["c"].column.missing_values
    assert "NA" not in decide(c=texts)["c"].column.missing_values


def test_of_equal_rows_every_order_gives_the_same_decision() -> None:
    texts = with_noise(PRICES, "n/a", "abc", "x", share=0.2)
    shuffled = random.Random(1).sample(texts, len(texts))
    assert decide_one(texts).column == decide_one(shuffled).column
