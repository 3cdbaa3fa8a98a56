"""The screens of a run, of each step, and of its outcome."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from rich.console import Console

from cli import local
from cli.execution import Step
from cli.outcome import Outcome
from cli.run import next_steps
from cli.screens import lines, steps
from cli.screens.outcome import outcome_text
from cli.screens.run import RunScreen
from cli.screens.runs import runs_text
from cli.screens.status import stopped_text
from infra.local import cloud
from infra.local.emulator.process import StopResult
from modelcycle import messages as m
from modelcycle.faults import Unknown
from modelcycle.registry import Move, Registry, Route, Write, keys
from tests.fakes import MemoryTable
from tests.memory_place import Cloud

AT = datetime(2026, 1, 1, tzinfo=UTC)
ARTIFACT = m.Artifact(uri="s3://artifacts/x", sha256="9c41aa" * 10, bytes=1)
TRIAL = m.Trial(number=3, algorithm="hist_gradient_boosting", parameters={}, seed=0)

RESULTS: dict[str, m.Message] = {
    "collect": m.Collected(
        manifest=ARTIFACT, shards=[ARTIFACT], quarantine=None, columns=15, objects=1, bytes=3_812_000,
        rows=32_561, quarantined=2,
    ),
    "preprocess": m.Preprocessed(
        table=ARTIFACT, profile=ARTIFACT, train=ARTIFACT, validation=ARTIFACT, test_features=ARTIFACT,
        test_labels=ARTIFACT, quarantine=None, task="binary", rows=32_561, kept=32_509, quarantined=0,
        duplicates=52, split=(24_382, 4_051, 4_076),
    ),
    "engineer_features": m.EngineeredFeatures(
        plan=ARTIFACT, signature=ARTIFACT, used=12, columns=14,
        left_out=[
            m.LeftOut(column="[bold]x", why="constant"),
            m.LeftOut(column="education", why="same as education_num"),
        ],
    ),
    "plan_trials": m.PlannedTrials(metric="log_loss", trials=[TRIAL] * 24),
    "select_model": m.SelectedModel(
        onnx=ARTIFACT, skops=ARTIFACT, baseline=ARTIFACT, reference=ARTIFACT, probes=ARTIFACT, best=TRIAL, loss=0.2814,
        signature=ARTIFACT, recipe=m.Recipe(members=[m.Member(trial=TRIAL)]), trials=24, opset=21,
    ),
    "score_candidate": m.ScoredCandidate(
        scores=ARTIFACT, champion_scores=None, champion=None, rows=8127, max_difference=3.1e-7, flips=0
    ),
    "validate": m.Validated(
        verdict="passed", reasons=[], metric="accuracy", metrics={"accuracy": 0.8712}, baseline={"accuracy": 0.76},
        champion={"accuracy": 0.87}, interval=(0.861, 0.881), report=ARTIFACT,
    ),
    "govern": m.Governed(
        decision="passed", rules=[m.Rule(name="a", holds=True)] * 6, broken=[], card=ARTIFACT, lineage=ARTIFACT
    ),
    "register": m.Registered(version=1, created=True),
    "stage": m.Staged(
        verdict="passed", reasons=[], rows=200, p50_ms=1.21, p99_ms=2.94, differences=0, approval=False, report=ARTIFACT
    ),
}  # fmt: skip
GOLDEN = {
    "collect": ["32,561 rows", "1 file", "3.8 MB", "2 broken lines quarantined"],
    "preprocess": [
        "32,509 rows kept",
        "52 duplicates dropped",
        "train 24,382 | validation 4,051 | test 4,076",
    ],
    "engineer_features": ["12 of 14 columns used", "[bold]x: constant", "education: same as education_num"],
    "train": ["24 trials", "best log loss 0.281", "hist gradient boosting"],
    "score_candidate": ["scikit-learn and ONNX agree on 8,127 rows", "largest difference 3e-7"],
    "validate": ["accuracy 0.871 ± 0.010", "baseline 0.760", "champion 0.870"],
    "govern": ["6 of 6 rules hold", "model card written"],
    "register": ["version 1", "from data 9c41aa00", "code 4ad1bb00", "signed"],
    "stage": ["200 rows replayed", "p50 1.2 ms", "p99 2.9 ms", "0 differences"],
    "deploy": ["live: version 7 (90 %), 8 (10 %)"],
}


def results() -> dict[str, Any]:
    wired: dict[str, Any] = {key: message.wire() for key, message in RESULTS.items()}
    return wired | {
        "version": {"data": "9c41aa00ff", "code": "4ad1bb00ff", "signed": True},
        "route": {"weights": {"7": 90, "8": 10}},
    }


def step(name: str, **changes: Any) -> Step:
    return Step(name, AT, AT + timedelta(seconds=0.7), "done", results() | changes)


def screen() -> tuple[RunScreen, io.StringIO]:
    file = io.StringIO()
    return RunScreen(Console(file=file, width=100, markup=False, soft_wrap=True), "adult", "run 7f3a"), file


@pytest.mark.parametrize("name", GOLDEN)
def test_each_step_shows_its_figures(name: str) -> None:
    shown = steps.figures(step(name))
    assert (shown.parts, list(shown.sentences)) == (GOLDEN[name], [])


def test_missing_evidence_is_told_and_is_no_rule() -> None:
    rules = [
        m.Rule(name="good", holds=True, figure="data.rows"), m.Rule(name="the evidence 'author'", holds=False),
    ]  # fmt: skip
    governed = m.Governed.model_validate(RESULTS["govern"].wire() | {"rules": [rule.model_dump() for rule in rules]})
    parts = steps.figures(step("govern", govern=governed.wire())).parts
    assert parts == ["1 of 1 rule holds", "broken: the evidence 'author'", "model card written"]


def test_a_long_reason_of_a_run_is_read_to_its_end() -> None:
    made = Cloud()
    made.ended("refused", "the model is not better than the champion on rows that are new; " * 3 + "END")
    shown = runs_text(made.place.registry.runs.latest("m"))
    assert "END" in shown and len(shown.splitlines()) == 4


def test_a_version_without_a_signature_is_told() -> None:
    version = {"data": "9c41aa00ff", "code": "4ad1bb00ff", "signed": False}
    registered = m.Registered(version=1, created=True).wire()
    assert list(steps.figures(step("register", register=registered, version=version)).sentences) == [steps.NOT_SIGNED]


def test_a_line_breaks_only_between_parts() -> None:
    short = lines.step_line("collect", ["1 row", "1 file"], "0.7 s")
    assert short == "    collect            1 row   1 file" + " " * 58 + "0.7 s"
    long = lines.step_line("validate", ["x" * 50, "y" * 50], "0.7 s")
    assert [len(line) for line in long.splitlines()] == [73, 100]
    assert long.splitlines()[1].startswith(" " * 23 + "y")


def test_without_a_terminal_each_line_is_printed_once() -> None:
    shown, file = screen()
    with shown:
        running_step = Step("train", AT, None, "running", results())
        shown.running(running_step, (3, 24))
        shown.running(running_step, (4, 24))
        shown.ended(step("engineer_features"))
    assert file.getvalue() == (
        "ModelCycle  adult  run 7f3a\n\n"
        "    engineer features  12 of 14 columns used   [bold]x: constant\n"
        "                       education: same as education_num" + " " * 40 + "0.7 s\n"
    )  # fmt: skip


def test_a_terminal_shows_the_running_step_with_a_bar() -> None:
    file = io.StringIO()
    terminal = {"TERM": "xterm-256color"}  # where the tests run, it may be a dumb one
    console = Console(file=file, width=100, force_terminal=True, markup=False, _environ=terminal)
    with RunScreen(console, "adult", "run 7f3a") as shown:
        shown.running(Step("train", AT, None, "running", results()), (16, 24))
        shown.live.refresh()
    assert "trial 17 of 24" in file.getvalue()
    assert "━━━━━━━━━━━━━━━━─" in file.getvalue()


def test_a_cached_step_says_so_in_place_of_its_time() -> None:
    cached = step("collect")
    cached.status = "cached"
    assert steps.line(cached, 100).endswith("cached")


def test_a_refused_validation_says_why() -> None:
    refused = RESULTS["validate"].model_copy(
        update={"verdict": "refused", "reasons": ["not better beyond chance (p = 0.31)"]}
    )
    assert steps.figures(step("validate", validate=refused.wire())).sentences == ["not better beyond chance (p = 0.31)"]


def sentences(name: str, **changes: Any) -> list[str]:
    """Return the sentences of a step whose message has these fields."""
    key = "select_model" if name == "train" else name
    return list(steps.figures(step(name, **{key: RESULTS[key].model_copy(update=changes).wire()})).sentences)


def test_what_was_left_out_or_decided_is_said_in_sentences() -> None:
    repeated = [f"raw/adult/copy {number}.csv" for number in range(5)]
    assert sentences("collect", repeated=repeated) == [
        "left out: copy 0.csv, copy 1.csv, copy 2.csv, 2 more: another file has the same content"
    ]
    assert sentences("collect", repeated=repeated, files_left_out=299)[0].startswith(
        "left out: copy 0.csv, copy 1.csv, copy 2.csv, 296 more:"
    )
    notes = [f"decision {number}" for number in range(8)]
    assert sentences("preprocess", notes=notes) == [*notes[:6], "and 2 more"]
    assert sentences("train", notes=notes[:1]) == ["decision 0"]
    warned = [m.LeftOut(column="phone", why="predicts the target by itself (AUC 0.991)")]
    assert sentences("engineer_features", warnings=warned) == [
        "phone is used: predicts the target by itself (AUC 0.991)"
    ]
    features = RESULTS["engineer_features"].model_copy(update={"warnings": warned}).wire()
    assert "phone" not in "".join(steps.figures(step("engineer_features", engineer_features=features)).parts)


def test_quarantined_rows_have_their_reasons() -> None:
    reasons = {"the target is missing (y)": 111, "a value is unreadable (pay: not a finite number)": 1}
    assert sentences("preprocess", quarantined=112, quarantine_reasons=reasons, notes=["a decision"]) == [
        "quarantined: the target is missing (y) in 111 rows; a value is unreadable (pay: not a finite number) in 1 row",
        "a decision",
    ]  # fmt: skip


def test_a_suspicious_column_is_told_once_and_in_full() -> None:
    why = "nearly gives the target away: AUC 0.980 by itself on 595 rows; " + "list it in drop_columns " * 10
    warned = RESULTS["engineer_features"].model_copy(update={"warnings": [m.LeftOut(column="l98", why=why)]})
    line = " ".join(steps.line(step("engineer_features", engineer_features=warned.wire()), 100).split())
    assert line.count("l98") == 1 and line.count("list it in drop_columns") == 10


def test_the_line_of_a_blend_has_no_second_loss() -> None:
    note = "the model is the mean of 2 trials: log loss 0.3896 on held-out rows that did not choose it"
    blend = RESULTS["select_model"].model_copy(
        update={"recipe": m.Recipe(members=[m.Member(trial=TRIAL, weight=0.5)] * 2), "notes": [note], "loss": 0.385}
    )
    shown = steps.figures(step("train", select_model=blend.wire()))
    assert (shown.parts, shown.sentences) == (["24 trials", "blend of 2 models"], [note])


@pytest.mark.parametrize(("decide", "shown"), [
    ({"metric": "f1"}, ["f1 0.512 (baseline 0.000)"]), ({"metric": "accuracy"}, []), ({}, []),
    ({"metric": "balanced_accuracy"}, []),
    ({"costs": {"model": 0.4, "baseline": 0.8}}, ["cost of a row 0.400 (0.800 without a model)"]),
])  # fmt: skip
def test_the_verdict_shows_what_chose_the_threshold(decide: dict[str, Any], shown: list[str]) -> None:
    measured = RESULTS["validate"].model_copy(
        update={"metrics": {"accuracy": 0.87, "f1": 0.512}, "baseline": {"accuracy": 0.76, "f1": 0.0}}
    )
    without = steps.figures(step("validate", validate=measured.wire()))
    assert steps.figures(step("validate", validate=measured.wire(), decide=decide)).parts == without.parts + shown


def test_the_verdict_shows_how_far_groups_are_apart_and_what_was_not_judged() -> None:
    names = [f"fairness.selection_rate.{part}" for part in ("ratio", "ratio_low", "ratio_high")]
    measured = RESULTS["validate"].model_copy(
        update={"figures": dict(zip(names, (0.35, 0.277, 0.439), strict=True)), "notes": ["race: not judged"]}
    )
    parts, sentences = steps.figures(step("validate", validate=measured.wire()))
    assert parts[-1] == "lowest ratio of the groups' selection rates 0.350 (0.277 to 0.439)"
    assert sentences[-1] == "race: not judged"


def test_a_regression_tells_how_far_the_mean_errors_of_the_groups_are_apart() -> None:
    names = [f"fairness.mean_error.{part}" for part in ("difference", "difference_low", "difference_high")]
    measured = RESULTS["validate"].model_copy(update={"figures": dict(zip(names, (12.4, 3.0, 21.6), strict=True))})
    parts, _ = steps.figures(step("validate", validate=measured.wire()))
    assert parts[-1] == "largest difference of the groups' mean errors 12.400 (3.000 to 21.600)"


def test_proxies_are_told_the_clearest_first_and_counted() -> None:
    proxies = [m.LeftOut(column=f"c{n}", why="tells sex = f (area under the ROC curve 0.80)") for n in range(5)]
    features = RESULTS["engineer_features"].model_copy(update={"proxies": proxies})
    told = steps.figures(step("engineer_features", engineer_features=features.wire())).sentences
    assert told[-2:] == ["proxy: c2 tells sex = f (area under the ROC curve 0.80)", "and 2 more of 5"]


def test_trials_without_a_model_are_told_by_reason() -> None:
    trials = [{"failed": ""}, {"failed": "out of memory"}, *[{"failed": "skipped: training.seconds is over"}] * 3]
    assert list(steps.figures(step("train", trials=trials)).sentences) == [
        "3 trials without a model: skipped: training.seconds is over", "1 trial without a model: out of memory",
    ]  # fmt: skip


def test_cases_are_counted_only_where_they_are_fewer_than_rows() -> None:
    few, all_ = ({"preprocess": RESULTS["preprocess"].model_copy(update={"cases": n}).wire()} for n in (900, 32_509))
    assert "900 cases" in steps.figures(step("preprocess", **few)).parts
    assert not any("case" in part for part in steps.figures(step("preprocess", **all_)).parts)


def test_the_score_says_on_which_rows_the_champion_may_be_compared() -> None:
    found = m.FoundUnseen(champion=3, rows=835, seen=231, cases=ARTIFACT)
    assert list(steps.figures(step("score_candidate", find_unseen=found.wire())).sentences) == [
        "231 of the 1,066 test rows cannot be told from rows that version 3 has learned from:"
        " 835 rows left to compare it on"
    ]
    grouped = found.model_copy(update={"by_group": True})
    assert list(steps.figures(step("score_candidate", find_unseen=grouped.wire())).sentences) == [
        "231 of the 1,066 test rows are of groups that version 3 has learned from: 835 rows left to compare it on"
    ]
    new = found.model_copy(update={"seen": 0})
    assert not steps.figures(step("score_candidate", find_unseen=new.wire())).sentences


def test_the_verdict_says_what_was_compared_on_how_many_rows_and_what_a_person_has_to_decide() -> None:
    changes = {"compared": 3512, "reasons": ["champion 0.870: not significantly worse (p = 0.6)"]}
    told = RESULTS["validate"].model_copy(update=changes | {"ask": ["not compared with version 3: age is missing"]})
    shown = steps.figures(step("validate", validate=told.wire()))
    assert shown.parts[-1] == "champion 0.870 on 3,512 rows new to both"
    assert list(shown.sentences) == ["not compared with version 3: age is missing", *changes["reasons"]]


def test_a_champion_that_was_not_compared_is_told_although_the_candidate_passed() -> None:
    told = RESULTS["validate"].model_copy(update={"champion": None, "reasons": ["not compared with version 3: pass"]})
    found = m.FoundUnseen(champion=3, uncompared=["pass"], cases=ARTIFACT)
    shown = steps.figures(step("validate", validate=told.wire(), find_unseen=found.wire()))
    assert list(shown.sentences) == ["not compared with version 3: pass"]


def test_the_verdict_says_why_a_figure_below_the_baseline_passed() -> None:
    reason = "baseline 0.88: accuracy 0.871 is no better, but it ranks the rows beyond chance (p < 0.001)"
    told = RESULTS["validate"].model_copy(update={"reasons": [reason], "baseline": {"accuracy": 0.88}})
    assert list(steps.figures(step("validate", validate=told.wire())).sentences) == [reason]
    better = told.model_copy(update={"baseline": {"accuracy": 0.76}})
    assert not steps.figures(step("validate", validate=better.wire())).sentences
    error = {"metric": "rmse", "metrics": {"rmse": 3.0}, "champion": None, "interval": (2.9, 3.1)}
    for baseline, told_lines in ((4.0, 0), (2.0, 1)):
        update = error | {"baseline": {"rmse": baseline}}
        assert (
            len(steps.figures(step("validate", validate=told.model_copy(update=update).wire())).sentences) == told_lines
        )


def test_where_a_class_is_rare_accuracy_does_not_stand_alone() -> None:
    metrics = {"roc_auc": 0.81, "accuracy": 0.95, "recall": 0.4, "precision": 0.7}
    rare = RESULTS["validate"].model_copy(
        update={
            "metric": "roc_auc", "metrics": metrics, "baseline": {"roc_auc": 0.5, "accuracy": 0.94},
            "interval": (0.77, 0.83),
        }
    )  # fmt: skip
    assert steps.figures(step("validate", validate=rare.wire())).parts == [
        "roc auc 0.810 (0.770 to 0.830)", "baseline 0.500", "accuracy 0.950 (baseline 0.940)", "recall 0.400",
        "precision 0.700",
    ]  # fmt: skip


def test_a_refit_says_which_rows_the_live_model_has_learned_from_and_which_judged_its_twin() -> None:
    done = m.CheckedRefit(done=True, rows=32_509)
    shown = steps.figures(step("refit", refit=done.wire()))
    assert shown.parts == ["learned again from all 32,509 rows, test rows included; this model is registered"]
    assert shown.sentences == ["its twin, from 28,433 rows, was judged on 4,076 others"]
    kept = steps.figures(step("refit", refit=m.CheckedRefit(done=False, reason="the refit is worse").wire()))
    assert (kept.parts, kept.sentences) == (["the judged model is registered"], ["the refit is worse"])


def test_a_long_sentence_begins_on_its_own_line_and_breaks_between_words() -> None:
    long = lines.step_line("preprocess", ["1 row"], "0.7 s", sentences=["word " * 30, "short"])
    rows = long.splitlines()
    assert rows[0] == "    preprocess         1 row"
    assert rows[1].startswith(" " * 23 + "word") and rows[2].startswith(" " * 25 + "word")
    assert rows[-1].split() == ["short", "0.7", "s"]
    assert max(map(len, rows)) == lines.WIDTH


def outcome(
    status: str, reason: str = "", version: int | None = None, weights: dict[int, int] | None = None
) -> Outcome:
    return Outcome("adult", "7f3a", status, reason, version, Route(weights=weights or {}), [], 41.2)


@pytest.mark.parametrize(("ended", "golden"), [
    (outcome("deployed", version=1, weights={1: 100}), "adult:1 is live after 41 s."),
    (outcome("unchanged", "the very model that is live", 1, {1: 100}),
     "Nothing has changed; version 1 stays live.\n  why             the very model that is live"),
    (outcome("refused", "not better", None, {1: 100}),
     "The new model of adult was refused; version 1 stays live.\n  why             not better\n"
     "  details         modelcycle show adult --run 7f3a"),
    (outcome("failed", "target 'incom' is not a column\nadult.yaml, line 2\ndid you mean income?"),
     "The run failed; nothing was registered, no version is live yet.\n"
     "  error           target 'incom' is not a column\n  where           adult.yaml, line 2\n"
     "  to do           did you mean income?\n  details         modelcycle show adult --run 7f3a"),
    (outcome("awaiting_approval", "", 2, {1: 100}),
     "adult:2 waits for approval; version 1 stays live.\n"
     "  approve it      modelcycle approve adult:2\n  or reject it    modelcycle reject adult:2 --why ..."),
    (outcome("awaiting_approval", "not compared with version 1: x is missing\nand so is y", 2, {1: 100}),
     "adult:2 waits for approval; version 1 stays live.\n"
     "  why             not compared with version 1: x is missing\n                  and so is y\n"
     "  approve it      modelcycle approve adult:2\n  or reject it    modelcycle reject adult:2 --why ..."),
])  # fmt: skip
def test_the_first_line_says_what_a_run_led_to(ended: Outcome, golden: str) -> None:
    assert outcome_text(ended, []) == golden


def test_the_json_of_a_run_has_the_keys_that_never_change() -> None:
    deployed = Outcome("adult", "7f3a", "deployed", "", 1, Route(), [step("collect")], 41.2, AT, 0, results())
    wire = deployed.wire()
    assert wire.keys() >= {"run_id", "model", "version", "status", "reason", "metrics", "steps"}
    assert wire["metrics"] == {"accuracy": 0.8712}
    assert wire["steps"] == [{"name": "collect", "status": "done", "seconds": 0.7}]


@pytest.mark.parametrize(
    ("passed", "text"), [(5, "5 s"), (600, "10 min"), (7200, "2 h"), (3 * 86400, "3 days"), (35 * 86400, "5 weeks")]
)
def test_how_long_ago_is_said_in_the_unit_that_fits(passed: int, text: str) -> None:
    assert lines.ago(AT, AT + timedelta(seconds=passed)) == f"{text} ago"


@pytest.mark.parametrize(("flow", "effect"), [
    ("lifecycle", "marks the runs as failed."), ("rollout", "undoes what the rollouts have moved."),
])  # fmt: skip
def test_a_stop_says_what_the_next_start_does_with_what_it_interrupted(flow: str, effect: str) -> None:
    screen = stopped_text(StopResult(True, interrupted=(f"modelcycle-{flow}:one",)))
    assert screen.endswith(f"The next `modelcycle up` {effect}")


def test_a_stop_says_of_each_rollout_what_becomes_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry = Registry(MemoryTable())
    moves = {
        "rents": Move(number=1, kind="promoted", by="ann", why="", before={}, after={2: 100}),
        "plums": Move(number=1, kind="promoted", by="rollout", why="", before={1: 100}, after={1: 90, 2: 10},
                      rollout="plums-v2-r1"),
    }  # fmt: skip
    for model, move in moves.items():
        route = Route(weights=move.after, moves=1)
        registry.table.write(Write(*keys.route(model), route.model_dump(mode="json")))
        registry.table.write(Write(*keys.move(model, 1), move.model_dump(mode="json")))
    names = ["rents-v1-20260101T000000000-ab12", "rents-v2-1", "plums-v2-r1", "ends-of-v3-tests-v1-r1"]
    running = tuple(f"modelcycle-rollout:{name}" for name in names)
    monkeypatch.setattr(cloud, "status", lambda **given: Mock(executions=running))
    monkeypatch.setattr(cloud, "down", lambda **given: StopResult(True, interrupted=running))
    options = Mock(place="local", as_json=False, open_place=lambda: Mock(registry=registry))
    assert local.down(False, options) == 0
    screen = capsys.readouterr().out
    assert "interrupted  4 rollouts" in screen
    assert "The next `modelcycle up` takes back the traffic of plums:2." in screen
    assert "The rollout of rents:2 has nothing left to do" in screen
    assert "The rollout of rents:1 has moved no traffic, or others have moved it since" in screen
    assert "`modelcycle promote ends-of-v3-tests:1` starts it again" in screen
    assert "undoes" not in screen


def test_beside_a_shadow_no_command_is_offered_that_takes_the_champions_traffic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cli.run.contract", Mock(side_effect=Unknown("gone")))
    place = Mock()
    for shadow, offered in ((4, ("end the shadow", "modelcycle rollback adult:3")),
                            (None, ("roll back", "modelcycle rollback adult"))):  # fmt: skip
        route = Route(weights={3: 100}, previous=2, shadow=shadow)
        steps = next_steps(place, Outcome("adult", "7f3a", "deployed", "", 4, route, [], 41.2))
        assert [step for step in steps if "rollback" in step[1]] == [offered]
