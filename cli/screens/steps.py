"""The figures of each step, from the message that it answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cli.execution import Step
from cli.screens.lines import clip, count, figure, seconds, size, step_line, tiny, traffic, words
from modelcycle import messages
from modelcycle.conclude import sentence
from modelcycle.faults import Fault

LABELS = {"engineer_features": "engineer features", "score_candidate": "score"}
MOST_LEFT_OUT = 4  # columns named on the line; `modelcycle show MODEL:VERSION` has all


def label(step: str) -> str:
    return LABELS.get(step, step)


def line(step: Step, width: int) -> str:
    """The final line of a step."""
    time = "cached" if step.status == "cached" else seconds(step.seconds)
    return step_line(label(step.name), figures(step), time, width)


def figures(step: Step) -> list[str]:
    """What the step measured, most important first; empty where it ended without a result."""
    if step.status == "failed":
        return [clip(Fault.parse(sentence(step.results.get("error")))[0], 100) or "failed"]
    return FIGURES[step.name](step.results)


def running(step: Step, trials: tuple[int, int] | None) -> list[str]:
    """What can be said of a step that is under way."""
    if trials is None:
        return []
    done, planned = trials
    return [f"trial {min(done + 1, planned)} of {planned}"] if done else [count(planned, "trial")]


def _collect(results: dict[str, Any]) -> list[str]:
    told = messages.Collected.model_validate(results["collect"])
    broken = [f"{count(told.quarantined, 'broken line')} set aside"] if told.quarantined else []
    return [count(told.rows, "row"), count(told.objects, "file"), size(told.bytes), *broken]


def _preprocess(results: dict[str, Any]) -> list[str]:
    told = messages.Preprocessed.model_validate(results["preprocess"])
    return [
        f"{told.kept:,} kept", f"{told.quarantined:,} quarantined", count(told.duplicates, "duplicate"),
        " | ".join(f"{rows:,}" for rows in told.split),
    ]  # fmt: skip


def _engineer_features(results: dict[str, Any]) -> list[str]:
    told = messages.EngineeredFeatures.model_validate(results["engineer_features"])
    named = [f"{clip(one.column, 40)}: {clip(one.why, 70)}" for one in told.left_out[:MOST_LEFT_OUT]]
    more = told.columns - told.used - len(named)
    return [
        f"{told.used:,} of {count(told.columns, 'column')} in",
        *named,
        *([f"and {more:,} more out"] if more > 0 else []),
    ]


def _train(results: dict[str, Any]) -> list[str]:
    planned = messages.PlannedTrials.model_validate(results["plan_trials"])
    told = messages.SelectedModel.model_validate(results["select_model"])
    return [
        count(told.trials, "trial"), f"best {words(planned.metric)} {figure(told.loss)}", words(told.best.algorithm),
    ]  # fmt: skip


def _score_candidate(results: dict[str, Any]) -> list[str]:
    told = messages.ScoredCandidate.model_validate(results["score_candidate"])
    flips = [f"{count(told.flips, 'row')} in another class"] if told.flips else []
    return [
        f"scikit-learn and ONNX agree on {count(told.rows, 'row')}",
        f"largest difference {tiny(told.max_difference)}", *flips,
    ]  # fmt: skip


def _validate(results: dict[str, Any]) -> list[str]:
    told = messages.Validated.model_validate(results["validate"])
    low, high = told.interval
    parts = [f"{words(told.metric)} {figure(told.metrics[told.metric])} ± {figure((high - low) / 2)}"]
    if told.metric in told.baseline:
        parts.append(f"baseline {figure(told.baseline[told.metric])}")
    if told.champion and told.metric in told.champion:
        parts.append(f"champion {figure(told.champion[told.metric])}")
    return parts + (told.reasons if told.verdict != "passed" else [])


def _govern(results: dict[str, Any]) -> list[str]:
    told = messages.Governed.model_validate(results["govern"])
    broken = [f"not: {clip(rule.name, 70)}" for rule in told.rules if not rule.holds]
    return [
        f"{sum(rule.holds for rule in told.rules)} of {count(len(told.rules), 'rule')} hold",
        *broken,
        "card written",
    ]


def _register(results: dict[str, Any]) -> list[str]:
    told = messages.Registered.model_validate(results["register"])
    made = results.get("version", {})
    hashes = [f"from data {made['data'][:8]}", f"code {made['code'][:8]}"] if made else []
    if told.replaces is not None:
        hashes.append(f"the same model as version {told.replaces}, whose artifacts are gone")
    return [f"version {told.version}", *hashes, *([] if told.created else ["the same as before"])]


def _stage(results: dict[str, Any]) -> list[str]:
    told = messages.Staged.model_validate(results["stage"])
    return [
        f"{count(told.rows, 'row')} replayed", f"p50 {told.p50_ms:.1f} ms", f"p99 {told.p99_ms:.1f} ms",
        count(told.differences, "difference"), *(told.reasons if told.verdict == "refused" else []),
    ]  # fmt: skip


def _deploy(results: dict[str, Any]) -> list[str]:
    weights = {int(version): weight for version, weight in results.get("route", {}).get("weights", {}).items()}
    return [f"live: version {traffic(weights)}"] if weights else []


FIGURES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "collect": _collect, "preprocess": _preprocess, "engineer_features": _engineer_features, "train": _train,
    "score_candidate": _score_candidate, "validate": _validate, "govern": _govern, "register": _register,
    "stage": _stage, "deploy": _deploy,
}  # fmt: skip
