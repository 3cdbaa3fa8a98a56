"""The line of a step: the figures of the message that it returned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cli.execution import Step
from cli.screens.lines import clip, count, difference, figure, seconds, size, step_line, traffic, words
from modelcycle import messages
from modelcycle.conclude import reason_text
from modelcycle.faults import Fault

LABELS = {"engineer_features": "engineer features", "score_candidate": "score"}
MAX_REASON = 130  # characters: a phrase with its figures
MAX_SHOWN_LEFT_OUT = 4  # columns that are named; `modelcycle show MODEL:VERSION` lists all

Results = dict[str, Any]  # the messages of all states up to the step, as JSON


def label(step: str) -> str:
    """Return the name of a step as people see it."""
    return LABELS.get(step, step)


def line(step: Step, width: int) -> str:
    """Return the line of a step that has ended."""
    time = "cached" if step.status == "cached" else seconds(step.seconds)
    return step_line(label(step.name), figures(step), time, width)


def figures(step: Step) -> list[str]:
    """Return what the step measured, the most important first; the error if it failed."""
    if step.status == "failed":
        return [clip(Fault.parse(reason_text(step.results.get("error")))[0], 100) or "failed"]
    return FIGURES[step.name](step.results)


def running(step: Step, trials: tuple[int, int] | None) -> list[str]:
    """Return the figures of a step that runs.

    Parameters
    ----------
    trials : how many are done, of how many
    """
    if trials is None:
        return []
    done, total = trials
    return [f"trial {min(done + 1, total)} of {total}"] if done else [count(total, "trial")]


def _collect(results: Results) -> list[str]:
    collected = messages.Collected.model_validate(results["collect"])
    broken = [f"{count(collected.quarantined, 'broken line')} quarantined"] if collected.quarantined else []
    return [count(collected.rows, "row"), count(collected.objects, "file"), size(collected.bytes), *broken]


def _preprocess(results: Results) -> list[str]:
    preprocessed = messages.Preprocessed.model_validate(results["preprocess"])
    train, validation, test = preprocessed.split
    return [
        f"{count(preprocessed.kept, 'row')} kept", f"{preprocessed.quarantined:,} quarantined",
        count(preprocessed.duplicates, "duplicate"), f"train {train:,} | validation {validation:,} | test {test:,}",
    ]  # fmt: skip


def _engineer_features(results: Results) -> list[str]:
    features = messages.EngineeredFeatures.model_validate(results["engineer_features"])
    named = [
        f"{clip(column.column, 40)}: {clip(column.why, MAX_REASON)}"
        for column in features.left_out[:MAX_SHOWN_LEFT_OUT]
    ]
    kept = [f"{clip(column.column, 40)} is used: {clip(column.why, MAX_REASON)}" for column in features.warnings]
    more = features.columns - features.used - len(named)
    return [
        f"{features.used:,} of {count(features.columns, 'column')} used",
        *named,
        *kept[:MAX_SHOWN_LEFT_OUT],
        *([f"{more:,} more left out"] if more > 0 else []),
    ]


def _train(results: Results) -> list[str]:
    plan = messages.PlannedTrials.model_validate(results["plan_trials"])
    selected = messages.SelectedModel.model_validate(results["select_model"])
    return [
        count(selected.trials, "trial"), f"best {words(plan.metric)} {figure(selected.loss)}",
        words(selected.best.algorithm),
    ]  # fmt: skip


def _score_candidate(results: Results) -> list[str]:
    scored = messages.ScoredCandidate.model_validate(results["score_candidate"])
    flips = [f"{count(scored.flips, 'row')} in another class"] if scored.flips else []
    return [
        f"scikit-learn and ONNX agree on {count(scored.rows, 'row')}",
        f"largest difference {difference(scored.max_difference)}", *flips,
    ]  # fmt: skip


def _validate(results: Results) -> list[str]:
    validated = messages.Validated.model_validate(results["validate"])
    metric, (low, high) = validated.metric, validated.interval
    parts = [f"{words(metric)} {figure(validated.metrics[metric])} ± {figure((high - low) / 2)}"]
    if metric in validated.baseline:
        parts.append(f"baseline {figure(validated.baseline[metric])}")
    if validated.champion and metric in validated.champion:
        parts.append(f"champion {figure(validated.champion[metric])}")
    return parts + (validated.reasons if validated.verdict != "passed" else [])


def _refit(results: Results) -> list[str]:
    refit = messages.CheckedRefit.model_validate(results["refit"])
    if refit.done:
        return [f"learned again from all {count(refit.rows, 'row')}, test rows included; this model goes live"]
    return [f"the judged model goes live: {refit.reason}"]


def _govern(results: Results) -> list[str]:
    governed = messages.Governed.model_validate(results["govern"])
    broken = [f"broken: {clip(rule.name, 70)}" for rule in governed.rules if not rule.holds]
    held = sum(rule.holds for rule in governed.rules)
    return [f"{held} of {count(len(governed.rules), 'rule')} hold", *broken, "model card written"]


def _register(results: Results) -> list[str]:
    registered = messages.Registered.model_validate(results["register"])
    version = results.get("version")
    hashes = [f"from data {version['data'][:8]}", f"code {version['code'][:8]}"] if version else []
    if registered.replaces is not None:
        hashes.append(f"the same model as version {registered.replaces}, whose artifacts are gone")
    return [f"version {registered.version}", *hashes, *([] if registered.created else ["registered before"])]


def _stage(results: Results) -> list[str]:
    staged = messages.Staged.model_validate(results["stage"])
    return [
        f"{count(staged.rows, 'row')} replayed", f"p50 {staged.p50_ms:.1f} ms", f"p99 {staged.p99_ms:.1f} ms",
        count(staged.differences, "difference"), *(staged.reasons if staged.verdict == "refused" else []),
    ]  # fmt: skip


def _deploy(results: Results) -> list[str]:
    weights = {int(version): weight for version, weight in results.get("route", {}).get("weights", {}).items()}
    return [f"live: version {traffic(weights)}"] if weights else []


FIGURES: dict[str, Callable[[Results], list[str]]] = {
    "collect": _collect, "preprocess": _preprocess, "engineer_features": _engineer_features, "train": _train,
    "score_candidate": _score_candidate, "validate": _validate, "refit": _refit, "govern": _govern,
    "register": _register, "stage": _stage, "deploy": _deploy,
}  # fmt: skip
