"""Sentences on which strangers stumbled: each is whole, names what it counts, and says what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from cli.contract import Contract
from cli.feedback import _write_lines
from cli.predict import Asked, Scored
from cli.screens.erasures import found_text
from cli.screens.explained import explained_text
from cli.screens.policy import policy_text
from cli.screens.predictions import unread_lines
from cli.screens.versions import decided_text, held_text
from modelcycle.captured.outcome_rows import OUTCOME, OutcomeColumns
from modelcycle.faults import BadInput
from modelcycle.messages import Decided, Rule
from modelcycle.model.nearest_change import Goal, Option, nearest_change
from modelcycle.policy import parse_policy
from modelcycle.registry import Entry

NOW = datetime(2026, 11, 29, 21, tzinfo=UTC)
NO_RULES = parse_policy("{name: ab, version: 1, models: [m]}")


def test_what_a_person_counts_stays_whole() -> None:
    options = {"complaints": Option(np.array([0, 3, 9], dtype=np.float32), 3)}
    goal = Goal(lambda scores: scores[:, 0] >= 6.1, lambda scores: scores[:, 0])
    change = nearest_change(options, lambda columns: columns.values["complaints"][:, None], goal)
    assert change is not None and change["complaints"].tolist() == [7]
    fewer = {"complaints": Option(np.array([9, 3, 0], dtype=np.float32), 3)}
    goal = Goal(lambda scores: scores[:, 0] <= 4.7, lambda scores: -scores[:, 0])
    change = nearest_change(fewer, lambda columns: columns.values["complaints"][:, None], goal)
    assert change is not None and change["complaints"].tolist() == [4]
    measured = {"income": Option(np.array([0.5, 3, 9], dtype=np.float32), 3)}
    goal = Goal(lambda scores: scores[:, 0] >= 6.1, lambda scores: scores[:, 0])
    change = nearest_change(measured, lambda columns: columns.values["income"][:, None], goal)
    assert change is not None and change["income"].tolist() == [pytest.approx(6.1)]


def test_an_approval_of_ones_own_run_in_a_freeze_says_both() -> None:
    told = "you approved your own run: nobody else has access here; its rollout waits: sales: none until then"
    screen = decided_text(Decided(model="m", decision="approve", version=1, route={}, told=told, frozen=True))
    assert "  frozen        sales: none until then" in screen
    assert "  note          you approved your own run: nobody else has access here\n" in screen + "\n"


def test_show_says_that_an_approved_version_waits_for_a_freeze() -> None:
    def entry(number: int, decision: str, why: str) -> Entry:
        return Entry(subject=f"version {number}", decision=decision, by="x", why=why, at=NOW - timedelta(minutes=5))

    entries = [entry(2, "frozen", "sales: none until then"), entry(1, "withdraw", "a"), entry(1, "frozen", "old")]
    assert held_text([1, 2], entries, NOW) == [
        "", "the rollout of version 2 waited 5 min ago for a freeze: sales: none until then",
    ]  # fmt: skip
    assert held_text([], entries, NOW) == [] and held_text([3], entries, NOW) == []


def test_a_policy_without_rules_and_a_model_that_is_not_there_yet() -> None:
    screen = policy_text("m", "ab.yaml", NO_RULES, None, None, [], {}, "", True, exists=False)
    assert "0 of 0" not in screen and "it has none: no figure of a run is held against a limit" in screen
    assert "there is no model m yet" in screen and "figure   value" not in screen
    rule = Rule(name="r", figure="f", value=295.0, limit="l", holds=True, remedy="x")
    policy = parse_policy(
        "{name: ab, version: 1, models: [m], rules: [{name: r, figure: gates.passed, equals: 1, remedy: x}]}"
    )
    shown = policy_text("m", "ab.yaml", policy, "r1", [rule], [], {}, "", True)
    assert "295 " in shown and "295.000" not in shown and "there is no model" not in shown


def test_words_for_a_missing_value_are_not_called_unreadable() -> None:
    signature = {
        "fields": [{"name": "use", "type": "number", "format": "1.234,56"}], "target": "y", "ignored": [],
        "missing_values": [], "id_columns": [],
    }  # fmt: skip
    expected, scored = Contract(signature), Scored()
    rows = [{"use": text} for text in ("k.A.", "1.234,5", "viel", "k.A.", "-")]
    asked = [
        Asked(row, *expected.read(row)[:1], number, number + 1, expected.read(row)[1])
        for number, row in enumerate(rows, 1)
    ]
    scored.add(asked, {"predictions": [0] * 5})
    assert unread_lines(scored.unread, scored.unread_count, scored.words) == [
        "2 values missing: 'k.A.' in the column 'use'", "1 value missing: '-' in the column 'use'",
        "1 value could not be read, and counted as missing; the first: row 3 (line 4), column 'use': 'viel' where a"
        " number like 1.234,56 is expected",
    ]  # fmt: skip


def test_one_row_is_one_row() -> None:
    preview = {
        "rows": 1, "objects": 1, "classes": {"uploads": {"rows": 1, "objects": 1, "old": 0}}, "missing_columns": [],
        "alike": {}, "held": {}, "unread": [], "versions": [],
    }  # fmt: skip
    assert "1 row   1 object" in found_text("m", "e", preview) and "1 rows" not in found_text("m", "e", preview)


def test_a_file_of_outcomes_before_a_version_is_live(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("Kundennummer;Kündigung\n1;ja\n")
    with pytest.raises(BadInput) as caught:
        _write_lines(tmp_path / "o.csv", OutcomeColumns(OUTCOME), tmp_path / "l", is_live=False)
    assert "no version is live yet" in caught.value.remedy
    with pytest.raises(BadInput) as caught:
        _write_lines(tmp_path / "o.csv", OutcomeColumns("Kündigung"), tmp_path / "l")
    assert "with `id_columns` in the pipeline file" in caught.value.remedy


def test_an_explained_number_is_written_as_people_read_it() -> None:
    told = {
        "prediction_id": "p", "prediction": 119112.586, "at": "2026-11-29T20:49:53.279256+00:00",
        "model": "m", "version": 1,
        "state": "live", "model_sha256": "a" * 64, "inputs_sha256": "b" * 64, "explanation": None,
        "notes": [], "review": [],
        "nearest": {"changes": {"area": {"from": 74.2, "to": 110.0}}, "becomes": 153019.61},
    }  # fmt: skip
    screen = explained_text(told)
    assert "answer      119,113   at 2026-11-29 20:49:53 UTC" in screen and "the answer becomes 153,020, if" in screen


def test_a_limit_from_above_is_allowed_and_not_required() -> None:
    for limit, told in (
        ("at_most: 150", "at most 150 is allowed"), ("at_least: 2", "at least 2 is required"),
        ("equals: 1", "1 is required"),
    ):  # fmt: skip
        rules = f"rules: [{{name: a, figure: data.rows, {limit}, remedy: b}}]"
        assert parse_policy(f"{{name: ab, version: 1, models: [m], {rules}}}").rules[0].limit == told
