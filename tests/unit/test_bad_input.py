"""Common mistakes in a pipeline file, and the sentence that each gets."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from modelcycle.faults import BadPipeline
from modelcycle.govern.figures import of_data
from modelcycle.policy import check, deployed_shelf
from modelcycle.spec import parse

HEAD = "name: a\ntarget: y\n"


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        (HEAD + "target: z\n", 3, "target is duplicated"),
        (HEAD + "training:\n  trials: 3\n  trials: 4\n", 5, "trials is duplicated"),
        ("name: a\ntarget: 2020\n", 2, 'target: text is expected; put it in quotes: "2020"'),
        ("name: a\ntarget: no\n", 2, 'target: text is expected; put it in quotes: "no"'),
        ("name: a\ntarget: 2020-01-01\n", 2, 'target: text is expected; put it in quotes: "2020-01-01"'),
        (HEAD + "positive_class: 1\n", 3, 'positive_class: text is expected; put it in quotes: "1"'),
        (HEAD + "missing_values: [x, -999]\n", 3, 'missing_values.1: text is expected; put it in quotes: "-999"'),
        ("name: a\ntarget:\n", 2, "target is empty"),
        (HEAD + "rollout: {steps: []}\n", 3, "rollout.steps: at least 1 in the list is expected"),
        (HEAD + "training: {trials: many}\n", 3, "training.trials: a whole number is expected"),
        (HEAD + "gates: 3\n", 3, "gates: keys are expected under it"),
        (HEAD + "id_columns: x\n", 3, "id_columns: a list is expected, such as [a, b]"),
        (HEAD + "task: guess\n", 3, "task: one of 'auto', 'binary', 'multiclass', 'regression' is expected"),
        (HEAD + "training:\n  trials: 0\n", 4, "training.trials: it should be greater than or equal to 1"),
        (HEAD + "id_columns: [y]\n", 3, "the target 'y' is also listed in id_columns"),
        (
            HEAD + "gates:\n  minimum:\n    acuracy: 1\n", 5,
            "gates.minimum: acuracy is not a metric, did you mean accuracy?",
        ),
        (HEAD + "gates: {minimum: {accuracy: .nan}}\n", 3, "gates.minimum.accuracy: it should be a finite number"),
        (
            HEAD + "task: regression\ngates: {minimum: {f1: 1}}\n", 4,
            "gates.minimum: f1 is not a metric of a regression task, choose from rmse,",
        ),
    ],
)  # fmt: skip
def test_an_error_names_its_line_and_says_what_is_wrong(text: str, line: int, sentence: str) -> None:
    with pytest.raises(BadPipeline) as raised:
        parse(text)
    [(error_line, message)] = raised.value.errors
    assert error_line == line and message.startswith(sentence)
    assert raised.value.where == f"the pipeline file, line {line}" and raised.value.remedy


@pytest.mark.parametrize("text", ["name: a\ntarget: " + "[" * 3000, "a: &a [*a]\nname: x\ntarget: y\n", "name: a\0b\n"])
def test_a_file_that_breaks_a_yaml_reader_is_refused(text: str) -> None:
    with pytest.raises(BadPipeline):
        parse(text)


@pytest.mark.parametrize(("cells", "holds"), [(0, True), (500, True), (501, False)])
def test_unreadable_values_are_a_reason_to_refuse_a_model_but_missing_targets_are_not(cells: int, holds: bool) -> None:
    facts: Any = SimpleNamespace(
        request=SimpleNamespace(
            collect=SimpleNamespace(rows=1300, quarantined=0, columns=10, objects=1),
            preprocess=SimpleNamespace(kept=1000, quarantined=300, cells=cells, split=(800, 100, 100), duplicates=0),
        ),
        code="c", learned_rows=900,
    )  # fmt: skip
    rules = {rule.name: rule for rule in check(deployed_shelf().policy_of("a"), of_data(facts))}
    rule = rules["nearly all data could be read"]
    assert rule.holds is holds and f"{cells} unreadable values" in rule.detail
