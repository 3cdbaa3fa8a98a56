"""The screens of a run, of each step, and of its outcome."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from cli.execution import Step
from cli.outcome import Outcome
from cli.screens import lines, steps
from cli.screens.outcome import outcome_text
from cli.screens.run import RunScreen
from cli.screens.status import stopped_text
from infra.local.emulator.process import StopResult
from modelcycle import messages as m
from modelcycle.registry import Route

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
        "0 quarantined",
        "52 duplicates",
        "train 24,382 | validation 4,051 | test 4,076",
    ],
    "engineer_features": ["12 of 14 columns used", "[bold]x: constant", "education: same as education_num"],
    "train": ["24 trials", "best log loss 0.281", "hist gradient boosting"],
    "score_candidate": ["scikit-learn and ONNX agree on 8,127 rows", "largest difference 3e-7"],
    "validate": ["accuracy 0.871 ± 0.010", "baseline 0.760", "champion 0.870"],
    "govern": ["6 of 6 rules hold", "model card written"],
    "register": ["version 1", "from data 9c41aa00", "code 4ad1bb00"],
    "stage": ["200 rows replayed", "p50 1.2 ms", "p99 2.9 ms", "0 differences"],
    "deploy": ["live: version 7 (90 %), 8 (10 %)"],
}


def results() -> dict[str, Any]:
    wired: dict[str, Any] = {key: message.wire() for key, message in RESULTS.items()}
    return wired | {"version": {"data": "9c41aa00ff", "code": "4ad1bb00ff"}, "route": {"weights": {"7": 90, "8": 10}}}


def step(name: str, **changes: Any) -> Step:
    return Step(name, AT, AT + timedelta(seconds=0.7), "done", results() | changes)


def screen() -> tuple[RunScreen, io.StringIO]:
    file = io.StringIO()
    return RunScreen(Console(file=file, width=100, markup=False, soft_wrap=True), "adult", "run 7f3a"), file


@pytest.mark.parametrize("name", GOLDEN)
def test_each_step_shows_its_figures(name: str) -> None:
    assert steps.figures(step(name)) == GOLDEN[name]


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
    assert steps.figures(step("validate", validate=refused.wire()))[-1] == "not better beyond chance (p = 0.31)"


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
     "adult:2 waits for approval; version 1 stays live.\n  approve it      modelcycle approve adult:2\n"
     "  or reject it    modelcycle reject adult:2 --why ..."),
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
    ("lifecycle", "marks the runs as failed."), ("rollout", "undoes the rollouts."),
])  # fmt: skip
def test_a_stop_says_what_the_next_start_does_with_what_it_interrupted(flow: str, effect: str) -> None:
    screen = stopped_text(StopResult(True, interrupted=(f"modelcycle-{flow}:one",)))
    assert screen.endswith(f"The next `modelcycle up` {effect}")
