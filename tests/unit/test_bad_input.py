"""What a hurried person writes, and the one sentence that it gets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modelcycle.faults import BadPipeline
from modelcycle.govern.policy import POLICY
from modelcycle.spec import parse

TWO = "name: a\ntarget: y\n"


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        (TWO + "target: z\n", 3, "target stands twice"),
        (TWO + "training:\n  trials: 3\n  trials: 4\n", 5, "trials stands twice"),
        ("name: a\ntarget: 2020\n", 2, 'target: text is expected; put it in quotes: "2020"'),
        ("name: a\ntarget: no\n", 2, 'target: text is expected; put it in quotes: "no"'),
        ("name: a\ntarget: 2020-01-01\n", 2, 'target: text is expected; put it in quotes: "2020-01-01"'),
        (TWO + "positive_class: 1\n", 3, 'positive_class: text is expected; put it in quotes: "1"'),
        (TWO + "missing_values: [x, -999]\n", 3, 'missing_values.1: text is expected; put it in quotes: "-999"'),
        ("name: a\ntarget:\n", 2, "target has no value"),
        (TWO + "training: {trials: many}\n", 3, "training.trials: a whole number is expected"),
        (TWO + "gates: 3\n", 3, "gates: keys are expected under it"),
        (TWO + "id_columns: x\n", 3, "id_columns: a list is expected, such as [a, b]"),
        (TWO + "task: guess\n", 3, "task: one of 'auto', 'binary', 'multiclass', 'regression' is expected"),
        (TWO + "training:\n  trials: 0\n", 4, "training.trials: it should be greater than or equal to 1"),
        (TWO + "id_columns: [y]\n", 3, "the target 'y' stands in id_columns too"),
        (TWO + "gates:\n  minimum:\n    acuracy: 1\n", 5, "gates.minimum: acuracy is no metric, did you mean accuracy"),
        (TWO + "gates: {minimum: {accuracy: .nan}}\n", 3, "gates.minimum.accuracy: it should be a finite number"),
        (TWO + "task: regression\ngates: {minimum: {f1: 1}}\n", 4, "gates.minimum: f1 is no metric of a regression"),
    ],
)  # fmt: skip
def test_a_pipeline_file_is_told_what_is_wrong_in_which_line(text: str, line: int, sentence: str) -> None:
    with pytest.raises(BadPipeline) as raised:
        parse(text)
    [(number, said)] = raised.value.errors
    assert number == line and said.startswith(sentence)
    assert raised.value.where == f"the pipeline file, line {line}" and raised.value.remedy


@pytest.mark.parametrize("text", ["name: a\ntarget: " + "[" * 3000, "a: &a [*a]\nname: x\ntarget: y\n", "name: a\0b\n"])
def test_a_file_that_no_reader_should_choke_on_is_refused(text: str) -> None:
    with pytest.raises(BadPipeline):
        parse(text)


@pytest.mark.parametrize(("unread", "holds"), [(0, True), (50, True), (51, False)])
def test_rows_without_a_target_are_no_reason_to_refuse_a_model(unread: int, holds: bool) -> None:
    facts: Any = SimpleNamespace(
        request=SimpleNamespace(
            collect=SimpleNamespace(rows=1000, quarantined=0),
            preprocess=SimpleNamespace(quarantined=unread + 300, unread=unread),
        )
    )
    held, detail = POLICY["nearly all rows could be read"](facts)
    assert held is holds and detail.startswith(f"{unread} rows")
