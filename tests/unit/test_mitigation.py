"""What `fairness.mitigate` does: weights and thresholds by group, from the training rows to the answer of a request."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from modelcycle.cells.column import Column
from modelcycle.engineer_features.proxies import find_proxies, together
from modelcycle.faults import BadPipeline, BadRequest
from modelcycle.messages import (
    FoundUnseen,
    GroupThresholds,
    RefitRequest,
    ScoreCandidateRequest,
    SelectedModel,
    ValidateRequest,
)  # fmt: skip
from modelcycle.model.answer import answer
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.group_cutoffs import group_cutoffs
from modelcycle.model.joint_groups import JointGroups, joint_groups, pooled
from modelcycle.model.labelled import Labelled
from modelcycle.model.loaded_version import LoadedVersion
from modelcycle.model.npz import to_npz
from modelcycle.model.reweighing import MAX_WEIGHT, reweigh
from modelcycle.model.scoring import Scorer, Scores
from modelcycle.model.signature import Signature
from modelcycle.monitor.performance.judged_rows import reference_rows
from modelcycle.refit import refit
from modelcycle.registry import Registry, Route
from modelcycle.score_candidate import score_candidate
from modelcycle.spec import Costs, Decide, Fairness
from modelcycle.train.group_thresholds import choose_group_thresholds
from modelcycle.train.mitigate import lowest_ratio
from modelcycle.validate import validate
from tests.fakes import MemoryTable
from tests.unit.learning_tables import Lifecycle, Table, lifecycle, table
from tests.unit.test_refit import VALIDATED

SEX = 'sé"x, or so'


def biased(rows: int = 2400, seed: int = 0) -> Any:
    """A table in which one group is selected much less, and a column tells the group."""
    random = np.random.default_rng(seed)
    sex = random.choice(["f'", "mü"], rows)
    skill = random.normal(0, 1, rows)
    hobby = np.where(random.random(rows) < 0.85, sex, random.choice(["f'", "mü"], rows))
    hired = random.random(rows) < 1 / (1 + np.exp(-(1.2 * skill + np.where(sex == "mü", 0.8, -0.8) - 0.4)))
    columns: dict[str, list[Any]] = {
        "skill": skill.tolist(), "hobby": hobby.tolist(), "noise": random.normal(0, 1, rows).tolist(),
        SEX: [None if random.random() < 0.01 else str(value) for value in sex],
        "hired": ["yes" if value else "no" for value in hired],
    }  # fmt: skip
    return table(columns, "hired", "binary", ["no", "yes"])


def run(life: Lifecycle) -> tuple[Any, SelectedModel, Any, dict[str, Any], ValidateRequest]:
    engineered = life.engineer()
    _, selected = life.train(engineered)
    registry = Registry(MemoryTable())
    cases = life.store.put(life.run.key("find_unseen", "cases.npz"), to_npz(learned=np.zeros(0, dtype=np.uint64)))
    inputs: dict[str, Any] = {
        "run": life.run, "preprocess": life.preprocessed, "engineer_features": engineered, "select_model": selected,
        "find_unseen": FoundUnseen(champion=None, cases=cases),
    }  # fmt: skip
    scored = score_candidate(ScoreCandidateRequest(**inputs), artifacts=life.store, registry=registry, code="c")
    request = ValidateRequest(**inputs, score_candidate=scored)
    validated = validate(request, artifacts=life.store, registry=registry, code="c")
    return engineered, selected, validated, json.loads(life.store.read(validated.report)), request


def start(**fairness: Any) -> Lifecycle:
    settings: dict[str, Any] = {"demographic_parity": 0.8} | fairness
    return lifecycle(
        biased(), sensitive_columns=[SEX], positive_class="yes", fairness=settings,
        training={"trials": 1, "algorithms": ["linear"], "refit": "all"}, features={"derive": False},
    )  # fmt: skip


def test_thresholds_by_group_are_chosen_judged_served_and_watched() -> None:
    life = start(mitigate="thresholds")
    engineered, selected, validated, report, request = run(life)
    assert [proxy.column for proxy in engineered.proxies] == ["the combination of all features", "hobby"]
    signature = Signature.model_validate_json(life.store.read(selected.signature))
    assert signature.groups is not None and signature.groups == selected.recipe.groups
    cutoff = {str(group.values[0]): group.threshold for group in signature.groups.groups}
    assert cutoff["f'"] < cutoff["mü"]
    assert any("requests have to hold" in note for note in selected.notes)
    # judged with these thresholds, beside the same model without
    assert validated.verdict == "passed", validated.reasons
    changed = report["fairness"]["mitigation"]["figures"]
    ratio = changed[f"lowest ratio of selection rates by {SEX}"]
    assert ratio["before"] < 0.6 < 0.8 < ratio["after"] and changed["accuracy"]["after"] < changed["accuracy"]["before"]
    assert validated.metrics["accuracy"] == pytest.approx(changed["accuracy"]["after"])
    assert f"{ratio['after']:.3g} ({ratio['before']:.3g} before)" in validated.notes[0]
    # served: between the two thresholds the group decides
    loaded = {1: LoadedVersion(1, signature, Scorer(signature, life.store.read(selected.onnx)))}
    test = life.parts["test"]
    scores = Scores.from_bytes(life.store.read(request.score_candidate.scores))
    between = np.flatnonzero((scores.scores[:, 1] > cutoff["f'"] + 0.01) & (scores.scores[:, 1] < cutoff["mü"] - 0.01))
    instance = signature.instances(test.take(between[:1]))[0]
    asked = [instance | {SEX: "f'"}, instance | {SEX: "mü"}, instance | {SEX: None}, instance | {SEX: "never seen"}]
    answered = answer({"instances": asked}, Route(weights={1: 100}), loaded, "key")
    usual = ["yes" if scores.scores[between[0], 1] >= 0.5 else "no"] * 2
    assert answered.predictions == ["yes", "no", *usual]
    assert len({json.dumps(one) for one in answered.probabilities}) == 1  # probabilities stay as they are
    del instance[SEX]
    with pytest.raises(BadRequest):
        answer({"instances": [instance]}, Route(weights={1: 100}), loaded, "key")
    # watched: live rows are measured by the same thresholds
    assert scores.cutoffs is not None and test.target is not None
    watched = reference_rows(scores.scores, test.target, scores.groups).with_cutoffs({0: signature})
    assert isinstance(watched, Labelled) and np.array_equal(watched.cutoffs, scores.cutoffs)
    # the model that goes live is made by the same recipe
    again = refit(
        RefitRequest(run=life.run, preprocess=life.preprocessed, engineer_features=engineered, select_model=selected,
                     validate_=VALIDATED),
        artifacts=life.store, results=life.results, code="c",
    )  # fmt: skip
    assert not again.worse


def test_reweighing_narrows_the_gap_and_says_what_it_costs() -> None:
    life = start(mitigate="reweighing")
    _, selected, validated, report, _ = run(life)
    assert selected.recipe.reweigh == [SEX] and selected.mitigated is not None
    ratio = selected.mitigated.figures[f"lowest ratio of selection rates by {SEX}"]
    assert ratio.after > ratio.before + 0.1
    assert report["fairness"]["mitigation"]["kind"] == "reweighing"
    assert any(note.startswith("mitigated by reweighing: on ") for note in validated.notes)
    assert Signature.model_validate_json(life.store.read(selected.signature)).groups is None


def test_without_mitigation_the_gate_refuses_and_nothing_else_changes() -> None:
    life = start()
    engineered, selected, validated, report, _ = run(life)
    assert validated.verdict == "refused" and "below 0.8" in validated.reasons[0]
    assert "groups" not in selected.wire()["recipe"] and "mitigated" not in selected.wire()
    signature = json.loads(life.store.read(selected.signature))
    assert "groups" not in signature and SEX not in {field["name"] for field in signature["fields"]}
    assert "mitigation" not in report["fairness"] and engineered.proxies


def test_thresholds_need_categories() -> None:
    data = biased(400)
    ages = np.random.default_rng(0).integers(18, 90, 400).astype(np.float32)
    data.columns.values["age"] = ages  # type: ignore[index]
    data.schema.columns.append(Column(name="age", type="number"))
    life = lifecycle(data, sensitive_columns=["age"], positive_class="yes", fairness={"mitigate": "thresholds"})
    with pytest.raises(BadPipeline, match="needs categories, and 'age' holds numbers"):
        life.engineer()


def test_weights_make_group_and_class_independent() -> None:
    random = np.random.default_rng(0)
    sex = random.integers(-1, 2, 3000).astype(np.int32)
    race = random.choice(5, 3000, p=[0.6, 0.2, 0.1, 0.098, 0.002]).astype(np.int32)
    target = (random.random(3000) < 0.2 + 0.3 * (sex == 1)).astype(np.int32)
    columns = {SEX: Texts(sex, ["f", "m"]), "race": Texts(race, list("abcde"))}
    weights = reweigh(columns, [SEX, "race"], target)
    assert weights is not None and weights.sum() == pytest.approx(3000, rel=0.01)
    share = [np.average(target[sex == code], weights=weights[sex == code]) for code in (-1, 0, 1)]
    assert share == pytest.approx([target.mean()] * 3, abs=0.01)
    assert weights.max() <= MAX_WEIGHT and reweigh(columns, [], target) is None
    one_class = reweigh(columns, [SEX], np.zeros(3000, dtype=np.int32))
    assert one_class is not None and one_class == pytest.approx(np.ones(3000))


@pytest.mark.parametrize("decide", [Decide(), Decide(metric="balanced_accuracy"), Decide(metric="f1"),
                                    Decide(costs=Costs(false_negative=5, false_positive=1))])  # fmt: skip
@pytest.mark.parametrize("aim", [{"demographic_parity": 0.8}, {"equalized_odds": 0.1}, {}])
def test_chosen_thresholds_keep_the_groups_together(decide: Decide, aim: dict[str, float]) -> None:
    random = np.random.default_rng(2)
    codes = random.choice(4, 4000, p=[0.6, 0.2, 0.195, 0.005])
    ability = random.normal(0.6 * codes, 1)
    scores = 1 / (1 + np.exp(-ability))
    target = (random.random(4000) < scores).astype(np.int32)
    groups = JointGroups(codes, [("a",), ("b",), ("ç",), ("few",)])
    chosen = choose_group_thresholds(scores, target, groups, [SEX], 0.5, decide, Fairness(**aim))
    assert [group.values for group in chosen.groups] == [["a"], ["b"], ["ç"]]  # the common one for the few
    column = {SEX: Texts(codes.astype(np.int32), ["a", "b", "ç", "few"])}
    selected = scores.astype(np.float32) >= group_cutoffs(chosen, 0.5, column, 4000)
    if "equalized_odds" in aim:
        for code in (0, 1):
            rates = [selected[(codes == group) & (target == code)].mean() for group in range(3)]
            assert max(rates) - min(rates) <= 0.1
    else:
        ratio = lowest_ratio(selected, groups)
        assert ratio is not None and ratio >= 0.8
    again = choose_group_thresholds(scores, target, groups, [SEX], 0.5, decide, Fairness(**aim))
    assert again == chosen


@pytest.mark.parametrize(
    ("value", "expected"),
    [(["f", "x"], 0.2), (["f", "other"], 0.3), (["m", "x"], 0.5), (["", "x"], 0.5), (["f", None], 0.3)],
)
def test_the_threshold_of_a_row_is_that_of_its_nearest_group(value: list[str | None], expected: float) -> None:
    groups = GroupThresholds.model_validate(
        {"columns": ["a", "b"], "groups": [{"values": ["f", "x"], "threshold": 0.2},
                                           {"values": ["f", None], "threshold": 0.3}]}
    )  # fmt: skip
    columns = {"a": Texts.of([value[0] or None]), "b": Texts.of([value[1]])}
    assert group_cutoffs(groups, 0.5, columns, 1)[0] == np.float32(expected)
    assert group_cutoffs(groups, 0.5, {}, 2).tolist() == [0.5, 0.5]


def test_a_boolean_column_has_groups_too() -> None:
    columns = {"old": np.array([1.0, 0.0, np.nan], dtype=np.float32)}
    groups = GroupThresholds.model_validate({"columns": ["old"], "groups": [{"values": ["true"], "threshold": 0.2}]})
    assert group_cutoffs(groups, 0.5, columns, 3).round(1).tolist() == pytest.approx([0.2, 0.5, 0.5])
    assert joint_groups(columns, ["old"]).values == [("false",), ("true",), ("",)]
    ages = {"age": np.arange(100, dtype=np.float32)}  # numbers are grouped for reweighing
    assert len(joint_groups(ages, ["age"]).values) == 4


def test_many_columns_have_groups_together() -> None:
    random = np.random.default_rng(0)
    columns = {f"c{n}": Texts(random.integers(0, 20, 3000).astype(np.int32), list("abcdefghijklmnopqrst"))
               for n in range(20)}  # fmt: skip
    groups = joint_groups(columns, list(columns))
    assert len(groups.values) == 3000 == len(np.unique(groups.codes))
    few = pooled(groups, 50)
    assert len(few.values) <= 20 and few.values[0][1:] == (None,) * 19


def test_a_proxy_is_named_and_noise_is_not() -> None:
    random = np.random.default_rng(5)
    sex = random.integers(0, 2, 1500).astype(np.int32)
    values: dict[str, Any] = {f"noise {n}": random.normal(size=1500).astype(np.float32) for n in range(60)}
    values["levels"] = Texts(random.integers(0, 700, 1500).astype(np.int32), [f"l{n}" for n in range(700)])
    values["height"] = (sex + random.normal(0, 0.5, 1500)).astype(np.float32)
    values["constant"], values["missing"] = np.ones(1500, np.float32), np.full(1500, np.nan, np.float32)
    values[SEX] = Texts(sex, ["f", "m"])
    names = [name for name in values if name != SEX]
    rows, sensitive = Columns(values), [Column(name=SEX, type="text")]
    assert [(proxy.column, proxy.group) for proxy in find_proxies(names, rows, sensitive)] == [("height", "m")]
    assert [proxy.auc > 0.8 for proxy in together(names, rows, sensitive)] == [True]
    few = rows.take(np.arange(30))
    assert find_proxies(names, few, sensitive) == [] == together(names, few, sensitive)


def test_small_tables_keep_one_threshold_and_say_so() -> None:
    life = lifecycle(
        biased(240), folds=False, sensitive_columns=[SEX], positive_class="yes", fairness={"mitigate": "thresholds"},
        training={"trials": 1, "algorithms": ["linear"]}, features={"derive": False},
    )  # fmt: skip
    _, selected = life.train(life.engineer())
    assert selected.recipe.groups is None
    assert any("no group has 50 held-out rows" in note for note in selected.notes)


def test_a_mitigation_that_the_task_does_not_have_ends_the_run_before_any_fit() -> None:
    data = biased(400)
    numbers = Columns(data.columns.values, np.random.default_rng(0).normal(size=400))
    schema = data.schema.model_copy(update={"task": "regression", "classes": []})
    life = lifecycle(Table(schema, numbers), sensitive_columns=[SEX], fairness={"mitigate": "reweighing"})
    with pytest.raises(BadPipeline, match="there is no mitigation for numbers"):
        life.train(life.engineer())
