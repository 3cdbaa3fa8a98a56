"""Documents are made of recorded facts; what is not on record is shown as missing, with what to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st

from modelcycle.documents import (
    Life,
    Made,
    bill_of_materials,
    datasheet,
    markdown,
    risk_index,
    technical_file,
)
from modelcycle.documents.outline import Document, Section, escaped
from modelcycle.registry import Entry, Move, Standing
from modelcycle.spec import About
from tests.memory_place import AT
from tests.unit.test_card import facts, made_of
from tests.unit.test_cli_show import monitored, version

# Regulation (EU) 2024/1689, Annex IV
POINTS = ["1 (a)", "1 (b)", "1 (c)", "1 (d)", "1 (e)", "1 (f)", "1 (g)", "1 (h)", "2 (a)", "2 (b)", "2 (c)", "2 (d)",
          "2 (e)", "2 (f)", "2 (g)", "2 (h)", "3.", "4.", "5.", "6.", "7.", "8.", "9."]  # fmt: skip
CATEGORIES = {"GOVERN": 6, "MAP": 5, "MEASURE": 4, "MANAGE": 4}  # NIST AI 100-1, section 5
REPORT: dict[str, Any] = {
    "parity": {"rows": 9, "max_difference": 3e-7, "flips": 0}, "intervals": {"accuracy": [0.86, 0.88]},
    "calibration": [{"from": 0.0, "to": 0.1, "rows": 7, "said": 0.02, "true": 0.03}],
    "groups": {"se|x": {"groups": {"F`": {"rows": 40.0, "accuracy": 0.9}, "M": {"rows": 50.0, "accuracy": 0.8}},
                        "differences": {"accuracy": 0.1}}},
    "slices": {"worst": [{"column": "job", "group": "<b>", "rows": 60, "accuracy": 0.7, "rest_accuracy": 0.9}]},
    "evidence": {"importance": [{"column": "age", "increase": 0.02, "error": 0.001}],
                 "missing_values": [{"share": 0.1, "increase": 0.02, "error": 0.01}]},
}  # fmt: skip


def made(report: dict[str, Any] = REPORT, **pipeline: Any) -> Made:
    known = made_of(facts(), report=report)
    return known._replace(pipeline=known.pipeline.model_copy(update=pipeline))


def life(about: About | None = None, **changes: Any) -> Life:
    return Life(version(1), Standing(state="live", at=AT, by="run r1"), about or About(), **changes)


def headings(document: Document) -> list[str]:
    return [line.lstrip("# ") for line in markdown(document).splitlines() if line.startswith("#")]


def test_every_heading_of_annex_iv_tells_a_fact_or_what_is_missing() -> None:
    for about in (About(), About(**dict.fromkeys(About.model_fields, "as we say"))):
        written = technical_file(made(), life(about), AT)
        for point in POINTS:
            assert [title for title in headings(written) if title.startswith(point)], point
        markdown(written)  # raises if a section is empty


def test_what_people_did_not_write_is_missing_and_names_its_key() -> None:
    nothing = technical_file(made(), life(), AT)
    all_written = technical_file(made(), life(About(**dict.fromkeys(About.model_fields, "as we say"))), AT)
    keys = {gap.remedy for gap in nothing.missing} - {gap.remedy for gap in all_written.missing}
    assert "write `about.purpose` in the pipeline file" in keys and len(keys) >= 12
    assert not [gap for gap in all_written.missing if "about." in gap.remedy]
    assert markdown(all_written).count("as we say") >= 12


def test_what_was_not_measured_is_missing_and_not_filled_with_words() -> None:
    bare = markdown(technical_file(made(report={}), life(), AT))
    for gap in ("calibration by bins of probability", "figures by group of people", "a report of staging",
                "figures of live traffic", "decisions about this version", "importance of each column"):  # fmt: skip
        assert f"**Missing: {gap}.**" in bare, gap


def test_moves_decisions_and_live_figures_are_shown() -> None:
    move = Move(number=1, kind="promoted", at=AT, by="run r1", why="roll|out", before={}, after={1: 100})
    entry = Entry(at=AT, subject="version 1", decision="approve", by="arn:aws:iam::1:user/ana", why="we looked")
    shown = markdown(technical_file(
        made(), life(moves=[move], decisions=[entry], monitored=monitored(realized=0.86, metric="accuracy")), AT
    ))  # fmt: skip
    assert "| 2026-01-01 00:00 | 0 % | 100 % | run r1 | roll\\|out |" in shown
    assert "| approve | arn:aws:iam::1:user/ana | we looked |" in shown
    assert "measured with outcomes: accuracy 0.86" in shown


def test_groups_calibration_and_weak_spots_are_in_the_card_of_figures() -> None:
    shown = markdown(technical_file(made(sensitive_columns=["se|x", "race"]), life(), AT))
    assert "| F' | 40 | 0.9 |" in shown and "largest difference between two groups: accuracy 0.1" in shown
    assert "**Missing: figures by race.**" in shown and "| 0 to 0.1 | 7 | 0.02 | 0.03 |" in shown
    assert "worse beyond chance where job is &lt;b>: accuracy 0.7, otherwise 0.9 on 60 test rows" in shown


def test_the_index_has_all_categories_of_the_framework() -> None:
    titles = headings(risk_index(made(), life(), AT))
    for function, number in CATEGORIES.items():
        assert [title for title in titles if title.startswith(f"{function} ")] == sorted(
            title for place in range(1, number + 1) for title in titles if title.startswith(f"{function} {place}:")
        )
        assert sum(title.startswith(f"{function} ") for title in titles) == number


def test_the_data_sheet_shows_no_value_of_a_column_but_the_classes() -> None:
    known = made()
    column = known.profile.columns[0].model_copy(update={"name": "street", "levels": ["12 Elm Street"]})
    shown = markdown(datasheet(known._replace(profile=known.profile.model_copy(update={"columns": [column]}))))
    assert "12 Elm Street" not in shown and "| street | text |" in shown
    assert "| &lt;=50K | 2 |" in shown


@pytest.mark.parametrize("about", [About(), About(**dict.fromkeys(About.model_fields, "what | `we` say"))])
def test_the_bill_of_materials_is_valid_cyclonedx(about: About) -> None:
    known = made(about=about)
    bill = bill_of_materials(known._replace(
        select_model=known.select_model.model_copy(update={"packages": {"scikit-learn": "1.9.1", "numpy": "2.4.6"}})
    ))  # fmt: skip
    text = json.dumps(bill)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace('"SHA-256"', '"SHA-2"')) is not None
    assert bill["metadata"]["component"]["hashes"][0]["content"] == known.select_model.onnx.sha256
    assert {part["name"] for part in bill["components"]} >= {"scikit-learn", "raw/adult/a.csv"}
    assert bill == bill_of_materials(known._replace(
        select_model=known.select_model.model_copy(update={"packages": {"numpy": "2.4.6", "scikit-learn": "1.9.1"}})
    ))  # fmt: skip


def test_a_section_without_a_word_is_an_error() -> None:
    with pytest.raises(ValueError, match="not even what is missing"):
        markdown(Document("t", [], [Section("empty", [])]))


@given(st.text())
def test_a_text_of_the_data_stays_in_its_cell(text: str) -> None:
    shown = escaped(text)
    assert not any(character in shown for character in "\n\r`<")
    assert "|" not in shown.replace("\\|", "")
