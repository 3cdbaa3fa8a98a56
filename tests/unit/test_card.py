"""The model card and the lineage: which rows the live model has learned from, and which judged its twin."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelcycle.documents import Made, ProfileFacts, card, markdown
from modelcycle.govern.facts import Facts
from modelcycle.govern.figures import figures
from modelcycle.govern.lineage import lineage
from modelcycle.messages import (
    Artifact,
    Calibration,
    CaseColumn,
    CaseRecipe,
    CheckedRefit,
    FoundUnseen,
    GovernRequest,
    Member,
    Recipe,
    Run,
)
from modelcycle.model.plan import FeaturePlan
from modelcycle.policy import check, deployed_shelf
from modelcycle.spec import Pipeline
from tests.memory_place import AT
from tests.unit.test_cli_screens import RESULTS, TRIAL

JUDGED = Artifact(uri="s3://artifacts/twin.onnx", sha256="1" * 64, bytes=1)
SERVED = Artifact(uri="s3://artifacts/refit.onnx", sha256="2" * 64, bytes=1)
RUN = Run(
    model="adult", run_id="r1", execution="arn", started_at=AT, trigger={"kind": "upload"}, pipeline=JUDGED
)  # fmt: skip
GROUPS = CaseRecipe(kind="group", columns=[CaseColumn(name="house|hold", type="text")], missing_values=[])
MANIFEST = {"objects": [{"key": "raw/adult/a.csv", "version": "v1", "sha256": "3" * 64, "rows": 3}]}


def facts(refit: CheckedRefit | None = None, **changes: dict[str, Any]) -> Facts:
    """Return the facts of a run; `changes` are fields of its steps' results."""
    steps = {name: message.model_copy(update=changes.get(name, {})) for name, message in RESULTS.items()}
    steps["select_model"] = steps["select_model"].model_copy(update={"onnx": JUDGED})
    found = FoundUnseen(champion=3, rows=3512, seen=564, cases=JUDGED)
    request = GovernRequest(
        run=RUN, collect=steps["collect"], preprocess=steps["preprocess"], select_model=steps["select_model"],
        engineer_features=steps["engineer_features"], find_unseen=found, score_candidate=steps["score_candidate"],
        validate=steps["validate"], refit=refit or CheckedRefit(done=False),
    )  # fmt: skip
    return Facts(request, Pipeline(name="adult", target="in|come"), FeaturePlan(columns=[]), "c0de")


def made_of(given: Facts, cases: CaseRecipe | None = None, report: dict[str, Any] | None = None) -> Made:
    """Return what a run has recorded, as documents read it."""
    request = given.request
    target = {"name": "in|come", "type": "text", "rows": 3, "missing": 0, "distinct": 2, "levels": ["<=50K", ">50K"],
              "counts": [2, 1]}  # fmt: skip
    return Made(
        run=request.run, pipeline=given.pipeline, code=given.code, cases=cases, report=report or {}, plan=given.plan,
        runtime={"python": "3.13", "machine": "x86_64", "system": "Linux"}, collect=request.collect,
        preprocess=request.preprocess, engineer_features=request.engineer_features,
        select_model=request.select_model, find_unseen=request.find_unseen, validate=request.validate_,
        refit=request.refit, manifest=MANIFEST,
        profile=ProfileFacts.model_validate({"columns": [target | {"name": "ag|e"}], "target": target}),
    )  # fmt: skip


def text(given: Facts, cases: CaseRecipe | None = None) -> str:
    policy = deployed_shelf().policy_of("adult")
    return markdown(card(made_of(given, cases), check(policy, figures(given)), "passed", policy.described))


def test_the_card_says_what_the_live_model_learned_from_and_what_judged_its_twin() -> None:
    refitted = text(facts(CheckedRefit(done=True, onnx=SERVED, rows=32_509)))
    assert "- the live model has learned from all 32,509 rows, test rows included; its twin," in refitted
    assert "## Evaluation results of the twin on 4,076 test rows" in refitted
    judged = text(facts(CheckedRefit(done=False, reason="the refit is worse on rows that both know")))
    assert "- the live model has learned from 28,433 rows, and 4,076 others judged it" in judged
    assert (
        "- the refit is worse on rows that both know" in judged and "## Evaluation results on 4,076 test rows" in judged
    )


def test_the_card_says_on_which_rows_the_champion_was_compared_and_what_was_decided() -> None:
    shown = text(facts(
        validate={"compared": 3512, "reasons": ["champion 0.870: not significantly worse"], "ask": ["asked: why"]},
        preprocess={"notes": ["rows of one `id` stay together"]}, collect={"repeated": ["raw/adult/copy.csv"]},
        select_model={"notes": ["a blend of 2 pays"]},
    ))  # fmt: skip
    assert "- the column `champion` is version 3, on 3,512 test rows that neither model has learned from" in shown
    for line in (
        "- champion 0.870: not significantly worse", "- asked: why", "- rows of one 'id' stay together",
        "- left out, because another file has the same content: raw/adult/copy.csv", "- a blend of 2 pays",
    ):  # fmt: skip
        assert line in shown.splitlines()


@pytest.mark.parametrize(("cases", "words"), [
    (GROUPS, "rows with equal `house\\|hold` are one case"),
    (GROUPS.model_copy(update={"kind": "row"}), "each row is one, because equal rows are different observations"),
    (GROUPS.model_copy(update={"kind": "features"}), "rows with equal features are one case"),
])  # fmt: skip
def test_the_card_says_how_a_case_is_made(cases: CaseRecipe, words: str) -> None:
    assert f"900 cases: {words}" in text(facts(preprocess={"cases": 900}), cases)


def test_the_card_lists_every_member_of_a_blend() -> None:
    recipe = Recipe(
        members=[Member(trial=TRIAL, weight=0.75), Member(trial=TRIAL.model_copy(update={"number": 5}), weight=0.25)],
        calibration=Calibration(slope=0.9), threshold=0.3,
    )  # fmt: skip
    shown = text(facts(select_model={"recipe": recipe}))
    rows = [line.split(" | ")[:4] for line in shown.splitlines() if line.startswith(("| 3 |", "| 5 |"))]
    assert [(row[0], row[2], row[3]) for row in rows] == [("| 3", "0.75", "0"), ("| 5", "0.25", "0")]
    assert "a weighted mean of 2 models among the best of 24 trials" in shown
    assert "calibrated: slope 0.9" in shown and "from probability 0.3" in shown


def test_the_lineage_names_every_artifact_and_both_models() -> None:
    refitted = lineage(facts(CheckedRefit(done=True, onnx=SERVED, rows=32_509)), MANIFEST, GROUPS)
    assert (refitted["judged"], refitted["served"]) == (JUDGED.model_dump(), SERVED.model_dump())
    assert refitted["rows"]["learned"] == 32_509 and refitted["rows"]["judged"] == 4_076
    assert refitted["cases"]["kind"] == "group" and refitted["data"]["objects"] == MANIFEST
    assert refitted["steps"]["preprocess"]["train"]["sha256"] == RESULTS["preprocess"].train.sha256  # type: ignore[attr-defined]
    assert refitted["runtime"].keys() == {"python", "machine", "system"}
    json.dumps(refitted)  # nothing in it needs a type of its own
    judged = lineage(facts(), MANIFEST, None)
    assert judged["served"] == judged["judged"] == JUDGED.model_dump() and judged["rows"]["learned"] == 28_433
