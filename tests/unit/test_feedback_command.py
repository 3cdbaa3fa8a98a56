"""`modelcycle feedback` keeps what is read, and tells what becomes of each outcome."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from cli.feedback import Live, _expected, _uncounted, _write_lines
from cli.screens.feedback import Told, feedback_text
from modelcycle.captured.outcome_rows import OutcomeColumns, read_lines
from modelcycle.captured.outcomes import (
    MatchedOutcomes,
    count_late,
    count_told_before,
    create_predictions,
    match_outcomes,
    value_outcomes,
)
from modelcycle.cells.reading import Reading
from modelcycle.engine import connect
from modelcycle.faults import BadInput
from modelcycle.model.profile import Profile, profile_column
from modelcycle.model.signature import Signature
from modelcycle.spec import Pipeline
from tests.fakes import MemoryStore

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SIGNATURE = Signature(model="m", task="binary", target="left", classes=["no", "yes"], fields=[], ignored=[], inputs=[])
COLUMNS = OutcomeColumns("left", ["shop", "customer"], ["sex"])


def lines_of(path: Path, text: str, columns: OutcomeColumns = COLUMNS) -> tuple[list[dict[str, str]], int, list[str]]:
    path.write_text(text)
    target = path.with_name("lines.jsonl")
    rows, skipped, left_out = _write_lines(path, columns, target)
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert rows == len(lines)
    return lines, skipped, left_out


def test_only_what_is_read_is_kept(tmp_path: Path) -> None:
    text = "Prediction_ID;LEFT;at;comment;sex\np1; yes ;2026-01-02;secret;f\np2;;;x;\n;no;;;\np3;no;;;\n"
    lines, skipped, left_out = lines_of(tmp_path / "o.csv", text)
    assert lines == [
        {"prediction_id": "p1", "left": "yes", "at": "2026-01-02", "sex": "f"}, {"prediction_id": "p3", "left": "no"},
    ]  # fmt: skip
    assert (skipped, left_out) == (2, ["comment"])


def test_an_entity_is_named_by_all_id_columns(tmp_path: Path) -> None:
    lines, skipped, _ = lines_of(tmp_path / "o.csv", "shop,customer,outcome\n1,7,no\n1,,yes\n")
    assert lines == [{"shop": "1", "customer": "7", "outcome": "no"}] and skipped == 1


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("customer,left\n1,no\n", "prediction_id, or shop and customer"),
        ("prediction_id,a\n1,no\n", "outcome, or left"),
        ("a,b\n1,2\n", "prediction_id, or shop and customer and outcome, or left"),
        ("prediction_id,left\n1,\n,no\n", "no row has an id and an outcome"),
    ],
)
def test_a_file_without_ids_or_outcomes_is_refused(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(BadInput) as caught:
        lines_of(tmp_path / "o.csv", text)
    assert what in caught.value.what


def test_outcomes_are_held_against_captured_answers(tmp_path: Path) -> None:
    captured = [
        {"prediction_id": "p1", "at": NOW - timedelta(days=400), "instance": {"customer": 7, "shop": "1"}},
        {"prediction_id": "p2", "at": NOW - timedelta(days=4), "instance": {}},
        {"prediction_id": "p2", "at": NOW - timedelta(days=4), "instance": {}},
        {"prediction_id": "p3", "at": NOW - timedelta(days=4), "shadow": True, "instance": {}},
    ]
    captures, outcomes = tmp_path / "captures.jsonl", tmp_path / "o.jsonl"
    captures.write_text("".join(json.dumps(line, default=str) + "\n" for line in captured) + "broken\n")
    told = [
        {"customer": "7.0", "shop": "1", "left": "no"}, {"prediction_id": "p2", "left": "YES", "at": "2027-01-01"},
        {"prediction_id": "p2", "left": "no", "at": "2026-02-26"}, {"prediction_id": "p2", "left": "maybe"},
        {"prediction_id": "p3", "left": "no"},
    ]  # fmt: skip
    outcomes.write_text("".join(json.dumps(line) + "\n" for line in told))
    with connect(tmp_path, "test") as engine:
        read_lines(engine, outcomes, NOW, COLUMNS)
        assert create_predictions(engine, [captures], COLUMNS.ids) == 2
        matched = match_outcomes(engine, SIGNATURE, None)
        assert matched == MatchedOutcomes(
            known=2, other=1, unknown=1, contradictory=1, out_of_order=1, ahead=1
        )  # fmt: skip
        assert dict(engine.execute("SELECT id, class FROM matched").fetchall()) == {"p1": "no", "p2": "yes"}
        assert count_late(engine, 45) == 1 and count_late(engine, 401) == 0
        assert match_outcomes(engine, None, None).known == 2, "without a live version every text is an outcome"


def test_outcomes_that_were_kept_before_are_told(tmp_path: Path) -> None:
    data, captures, outcomes = MemoryStore(), tmp_path / "captures.jsonl", tmp_path / "o.jsonl"
    captured = [
        {"prediction_id": f"p{n}", "at": NOW - timedelta(days=4), "instance": {"customer": n, "shop": "1"}}
        for n in range(4)
    ]
    captures.write_text("".join(json.dumps(line, default=str) + "\n" for line in captured))
    told = [
        {"prediction_id": "p0", "left": "yes"}, {"customer": "1", "shop": "1", "left": "no"},
        {"prediction_id": "p2", "left": "yes"}, {"prediction_id": "p3", "left": "yes"},
    ]  # fmt: skip
    outcomes.write_text("".join(json.dumps(line) + "\n" for line in told))
    with connect(tmp_path, "test") as engine:
        read_lines(engine, outcomes, NOW, COLUMNS)
        create_predictions(engine, [captures], COLUMNS.ids)
        assert match_outcomes(engine, SIGNATURE, None).known == 4
        earlier = [{"prediction_id": "p0", "left": "YES"}, told[1], {"prediction_id": "p2", "left": "no"}]
        body = "".join(json.dumps(line | {"at": "2026-02-27"}) + "\n" for line in earlier)
        data.upload("feedback/m/1.jsonl", body.encode())
        objects = list(data.list("feedback/m/"))
        assert count_told_before(engine, data, objects, tmp_path, COLUMNS, SIGNATURE, None) == (2, 1)
    shown = Told(4, 0, [], 4, False, MatchedOutcomes(known=4), 0, None, repeated=2, changed=1)
    assert [line.strip() for line in feedback_text("m", shown).splitlines()[2:]] == [
        "told before, the same as now; they count once: 2", "told otherwise before; the latest counts: 1",
    ]  # fmt: skip


def test_the_screen_tells_what_is_odd_and_nothing_else() -> None:
    plain = Told(1_200, 0, [], 50_000, True, MatchedOutcomes(known=1_180), 0, 45)
    assert feedback_text("m", plain).splitlines() == [
        "1,200 outcomes of m kept.", "    1,180 of the 50,000 newest captured predictions have one",
    ]  # fmt: skip
    odd = Told(9, 1, ["comment"], 5, False, MatchedOutcomes(1, 2, 3, 4, 5, 6, 7, 8), 9, 45)
    text = feedback_text("m", odd)
    assert [line.rpartition(": ")[2] for line in text.splitlines()[2:]] == ["1", *"2345678", "9", "comment"]


PRICE = SIGNATURE.model_copy(update={"task": "regression", "target": "price", "classes": []})


@pytest.mark.parametrize(
    ("format", "outcome", "value"),
    [
        ("1234,56", "1237,39", 1237.39), ("1234,56", "1237.39", 1237.39), ("1234,56", "1.500", None),
        ("1.234,56", "1.500", 1500.0), ("1.234,56", "1.237,39 €", 1237.39), ("1.234,56", "12.5", 12.5),
        ("1234,56", "0.125", 0.125), ("1234,56", "-0.125", -0.125),
        ("1'234.56", "1'500", 1500.0), ("", "1237.39", 1237.39), ("", "1237,39", None), ("1 234,56", "-1.250", None),
        ("1 234,56", "vielleicht", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_the_data_write_them(
    tmp_path: Path,
    format: str,  # noqa: A002
    outcome: str,
    value: float | None,
) -> None:
    target = Reading(type="number", format=format)
    file = tmp_path / "o.jsonl"
    file.write_text(json.dumps({"prediction_id": "p", "outcome": outcome}) + "\n" + '{"prediction_id": "q"}\n')
    with connect(tmp_path, "test") as engine:
        read_lines(engine, file, NOW, OutcomeColumns("price"))
        engine.execute("CREATE TABLE predictions AS SELECT 'p' AS id, NULL::VARCHAR AS key, NULL::TIMESTAMPTZ AS asked")
        matched = match_outcomes(engine, PRICE, target)
        assert matched.known == (value is not None) and matched.other == (value is None)
        assert engine.execute("SELECT value FROM matched").fetchall() == ([] if value is None else [(value,)])
        assert matched.ambiguous == (outcome in ("1.500", "-1.250") and format != "1.234,56")
        assert _uncounted(engine) == ([] if value is not None else [outcome])


@pytest.mark.parametrize(
    ("outcome", "value"),
    [('"-999"', None), ("-999", None), ("-999.0", None), ('"k.A."', None), ('"-998"', -998.0), ("-998", -998.0)],
)
def test_what_means_a_missing_value_in_the_data_is_no_outcome(
    tmp_path: Path, outcome: str, value: float | None
) -> None:
    target = Reading(type="number", format="1234,56", missing_values=["-999", "k.A."])
    file = tmp_path / "o.jsonl"
    file.write_text(f'{{"prediction_id": "p", "outcome": {outcome}}}\n{{"prediction_id": "q", "outcome": "1,5"}}\n')
    with connect(tmp_path, "test") as engine:
        read_lines(engine, file, NOW, OutcomeColumns("price"))
        assert value_outcomes(engine, PRICE, target) == (value is None)
        assert (value,) in engine.execute("SELECT value FROM valued").fetchall() or value is None


def test_the_screen_says_what_an_outcome_has_to_be_and_names_what_is_none() -> None:
    told = Told(
        5, 0, [], 5, False, MatchedOutcomes(other=3, ambiguous=1), 0, 45, False, "one of ja, nein", ["vielleicht"]
    )
    text = feedback_text("m", told)
    assert "not one of ja, nein, so they do not count: 2" in text and "such as 'vielleicht'" in text
    assert "may mean thousands here, so they do not count; write a decimal comma: 1" in text
    profile = Profile(
        rows=1, columns=[], missing_values=[],
        target=profile_column("price", "number", np.array([1.0]), format="1234,56"),
    )  # fmt: skip
    assert _expected(Live(PRICE, profile, Pipeline(name="m", target="price"))) == "a number, as in 1234,56"
    assert _expected(Live(SIGNATURE, profile, Pipeline(name="m", target="left"))) == "one of no, yes"
    assert _expected(None) == ""
    for format, expected in (("clock", "a time, as in 14:05"), ("duration", "a duration, as in 1:30:00")):  # noqa: A001
        target = profile_column("price", "number", np.array([1.0]), format=format)
        timed = profile.model_copy(update={"target": target})
        assert _expected(Live(PRICE, timed, Pipeline(name="m", target="price"))) == expected
