"""The line of a step: the figures of the message that it returned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cli.execution import Step
from cli.screens.lines import clip, count, difference, figure, rules_hold, seconds, size, step_line, traffic, words
from modelcycle import messages
from modelcycle.faults import Fault
from modelcycle.reasons import reason_text
from modelcycle.spec import is_better

LABELS = {"engineer_features": "engineer features", "score_candidate": "score"}
MAX_REASON = 130  # characters: a phrase with its figures
MAX_SKEW = 0.1  # of an interval's width, between its halves, for it to be shown as ±
MAX_SHOWN_LEFT_OUT = 4  # columns that are named; `modelcycle show MODEL:VERSION` lists all
MAX_SHOWN_SENTENCES = 6  # of a kind
MAX_SHOWN_FILES = 3
MAX_SHOWN_PROXIES = 3
MAX_CONTRACT = 240  # characters of a broken rule
NOT_SIGNED = "not signed: registered while the stack had no key for it"

Results = dict[str, Any]  # the messages of all states up to the step, as JSON


class Figures(NamedTuple):
    """What a step measured, the most important first; and what it decided or left out, as sentences."""

    parts: list[str]
    sentences: Sequence[str] = ()


def label(step: str) -> str:
    """Return the name of a step as people see it."""
    return LABELS.get(step, step)


def line(step: Step, width: int) -> str:
    """Return the line of a step that has ended."""
    time = "cached" if step.status == "cached" else seconds(step.seconds)
    parts, sentences = figures(step)
    return step_line(label(step.name), parts, time, width, sentences)


def figures(step: Step) -> Figures:
    """Return the figures of a step that has ended; the error if it failed."""
    if step.status == "failed":
        return Figures([clip(Fault.parse(reason_text(step.results.get("error")))[0], 100) or "failed"])
    shown = FIGURES[step.name](step.results)
    said = f"done in a container: {step.in_container}"
    if not step.in_container or said in shown.sentences:
        return shown
    return shown._replace(sentences=[*shown.sentences, said])


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


def _pull(results: Results) -> Figures:
    pulled = messages.Pulled.model_validate(results["pull"])
    if not pulled.files:
        return Figures(["nothing new"], [pulled.detail] if pulled.detail else [])
    watermarks = {file.source: file.watermark for file in pulled.files if file.watermark}
    parts = [count(pulled.rows, "new row") if pulled.rows else count(len(pulled.files), "new file")]
    parts += [f"{source} up to {clip(mark, 40)}" for source, mark in watermarks.items()]
    return Figures(parts, [pulled.detail] if pulled.detail else [])


def _collect(results: Results) -> Figures:
    collected = messages.Collected.model_validate(results["collect"])
    broken = [f"{count(collected.quarantined, 'broken line')} quarantined"] if collected.quarantined else []
    broken += [f"{count(collected.corrected, 'correction')} applied"] if collected.corrected else []
    parts = [count(collected.rows, "row"), count(collected.objects, "file"), size(collected.bytes), *broken]
    names = [clip(key.rpartition("/")[2], 40) for key in collected.repeated]
    n_more = max(collected.files_left_out, len(names)) - MAX_SHOWN_FILES
    more = [f"{n_more:,} more"] if n_more > 0 else []
    named = ", ".join([*names[:MAX_SHOWN_FILES], *more])
    repeated = f"left out: {named}: another file has the same content"
    return Figures(parts, [*([repeated] if names else []), *_first(collected.notes)])


def _preprocess(results: Results) -> Figures:
    preprocessed = messages.Preprocessed.model_validate(results["preprocess"])
    train, validation, test = preprocessed.split
    parts = [f"{count(preprocessed.kept, 'row')} kept"]
    if preprocessed.quarantined:
        parts.append(f"{preprocessed.quarantined:,} quarantined")
    if preprocessed.duplicates:
        parts.append(f"{count(preprocessed.duplicates, 'duplicate')} dropped")
    if 0 < preprocessed.cases < preprocessed.kept:
        parts.append(count(preprocessed.cases, "case"))
    parts.append(f"train {train:,} | validation {validation:,} | test {test:,}")
    reasons = "; ".join(f"{reason} in {count(rows, 'row')}" for reason, rows in preprocessed.quarantine_reasons.items())
    broken = [f"contract, a person decides: {clip(what, MAX_CONTRACT)}" for what in preprocessed.ask]
    broken += [f"contract: {clip(what, MAX_CONTRACT)}" for what in preprocessed.warned]
    quarantined = [f"quarantined: {reasons}"] if reasons else []
    return Figures(parts, [*quarantined, *_first(broken), *_first(preprocessed.notes)])


def _engineer_features(results: Results) -> Figures:
    features = messages.EngineeredFeatures.model_validate(results["engineer_features"])
    named = [
        f"{clip(column.column, 40)}: {clip(column.why, MAX_REASON)}"
        for column in features.left_out[:MAX_SHOWN_LEFT_OUT]
    ]
    more = features.columns - features.used - len(named)
    parts = [
        f"{features.used:,} of {count(features.columns, 'column')} used",
        *named,
        *([f"{more:,} more left out"] if more > 0 else []),
    ]
    derived = [f"added: {clip(feature.column, 60)}: {feature.why}" for feature in features.derived]
    warnings = [f"{clip(kept.column, 40)} is used: {kept.why}" for kept in features.warnings]
    proxies = [f"proxy: {clip(proxy.column, 40)} {clip(proxy.why, MAX_REASON)}" for proxy in features.proxies]
    more = len(proxies) - MAX_SHOWN_PROXIES
    shown = [*proxies[:MAX_SHOWN_PROXIES], *([f"and {more:,} more of {len(proxies):,}"] if more > 0 else [])]
    return Figures(parts, [*_first([*warnings, *derived]), *shown])


def _train(results: Results) -> Figures:
    plan = messages.PlannedTrials.model_validate(results["plan_trials"])
    selected = messages.SelectedModel.model_validate(results["select_model"])
    members = selected.recipe.members
    parts = [count(selected.trials, "trial")]
    if len(members) < 2:
        parts += [f"best {words(plan.metric)} {figure(selected.loss)}", words(selected.best.algorithm)]
    else:  # its loss is in the notes, by rows that did not choose it; that of the best trial is another
        parts.append(f"blend of {len(members)} models")
    if plan.folds:
        parts.insert(1, f"{plan.folds} folds")
    if selected.recipe.threshold is not None:
        parts.append(f"threshold {figure(selected.recipe.threshold)}")
    return Figures(parts, _first([*_failed_trials(results), *selected.notes]))


def _failed_trials(results: Results) -> list[str]:
    """Return a sentence for each reason why trials have no model, the most frequent first."""
    reasons = Counter(trial["failed"] for trial in results.get("trials") or [] if trial.get("failed"))
    return [f"{count(number, 'trial')} without a model: {reason}" for reason, number in reasons.most_common()]


def _score_candidate(results: Results) -> Figures:
    scored = messages.ScoredCandidate.model_validate(results["score_candidate"])
    flips = [f"{count(scored.flips, 'row')} in another class"] if scored.flips else []
    parts = [
        f"scikit-learn and ONNX agree on {count(scored.rows, 'row')}",
        f"largest difference {difference(scored.max_difference)}", *flips,
    ]  # fmt: skip
    found = messages.FoundUnseen.model_validate(results["find_unseen"]) if results.get("find_unseen") else None
    if found is None or found.champion is None or not found.seen:
        return Figures(parts)
    of = count(found.seen + found.rows, "test row")
    left = f"{count(found.rows, 'row')} left to compare it on"
    what = "are of groups" if found.by_group else "cannot be told from rows"
    told = f"{found.seen:,} of the {of} {what} that version {found.champion} has learned from: {left}"
    return Figures(parts, [told])


def _validate(results: Results) -> Figures:
    validated = messages.Validated.model_validate(results["validate"])
    metric, (low, high) = validated.metric, validated.interval
    parts = [f"{words(metric)} {_with_interval(validated.metrics[metric], low, high)}"]
    if metric in validated.baseline:
        parts.append(f"baseline {figure(validated.baseline[metric])}")
    if metric != "accuracy" and "accuracy" in validated.metrics:  # one class is rare: accuracy alone would deceive
        parts += _rare_class(validated)
    told = validated.reasons
    if validated.verdict == "passed" and _looks_better(validated):  # the baseline is shown already
        told = [reason for reason in told if not reason.startswith("baseline")]
    champion = (results.get("find_unseen") or {}).get("champion")
    is_told = any(reason.startswith(f"version {champion}:") for reason in told)
    if validated.champion and metric in validated.champion and not is_told:
        where = f" on {count(validated.compared, 'row')} new to both" if validated.compared else ""
        parts.append(f"champion {figure(validated.champion[metric])}{where}")
    parts += _decided(validated, results.get("decide") or {})
    parts += _fairness(validated)
    reasons = [reason for reason in told if reason not in validated.ask]
    return Figures(parts, _first([*validated.ask, *reasons, *validated.notes]))


def _fairness(validated: messages.Validated) -> list[str]:
    """Return how far the sensitive groups are apart: in selection rates, or of numbers in mean errors."""
    found = []
    for name, told in (
        ("selection_rate.ratio", "lowest ratio of the groups' selection rates"),
        ("mean_error.difference", "largest difference of the groups' mean errors"),
    ):
        names = [f"fairness.{name}{end}" for end in ("", "_low", "_high")]
        if all(one in validated.figures for one in names):
            value, low, high = (figure(validated.figures[one]) for one in names)
            found.append(f"{told} {value} ({low} to {high})")
    return found


def _decided(validated: messages.Validated, decide: dict[str, Any]) -> list[str]:
    """Return the figures by which the pipeline file's `training.decide` chose the threshold, unless they are shown."""
    parts = []
    name, costs = decide.get("metric"), decide.get("costs")
    if name in validated.metrics and name not in (validated.metric, "accuracy"):
        parts.append(_with_baseline(validated, name))
    if costs:
        parts.append(f"cost of a row {figure(costs['model'])} ({figure(costs['baseline'])} without a model)")
    return parts


def _looks_better(validated: messages.Validated) -> bool:
    """Return whether the shown figure is better than the baseline's; a candidate may pass although it is not."""
    value, baseline = validated.metrics[validated.metric], validated.baseline.get(validated.metric)
    return baseline is not None and is_better(validated.metric, value, baseline)


def _with_interval(value: float, low: float, high: float) -> str:
    """Return a metric with its interval of 95 %; both bounds where they are not equally far away."""
    if abs((high - value) - (value - low)) <= MAX_SKEW * (high - low):
        return f"{figure(value)} ± {figure((high - low) / 2)}"
    return f"{figure(value)} ({figure(low)} to {figure(high)})"


def _rare_class(validated: messages.Validated) -> list[str]:
    shown = [
        f"{name} {figure(validated.metrics[name])}" for name in ("recall", "precision") if name in validated.metrics
    ]
    return [_with_baseline(validated, "accuracy"), *shown]


def _with_baseline(validated: messages.Validated, name: str) -> str:
    against = f" (baseline {figure(validated.baseline[name])})" if name in validated.baseline else ""
    return f"{words(name)} {figure(validated.metrics[name])}{against}"


def _refit(results: Results) -> Figures:
    refit = messages.CheckedRefit.model_validate(results["refit"])
    if not refit.done:
        return Figures(["the judged model is registered"], [refit.reason] if refit.reason else [])
    parts = [f"learned again from all {count(refit.rows, 'row')}, test rows included; this model is registered"]
    if not results.get("preprocess"):
        return Figures(parts)
    train, validation, test = messages.Preprocessed.model_validate(results["preprocess"]).split
    return Figures(parts, [f"its twin, from {train + validation:,} rows, was judged on {test:,} others"])


def _govern(results: Results) -> Figures:
    governed = messages.Governed.model_validate(results["govern"])
    broken = [f"broken: {clip(rule.name, 70)}" for rule in governed.rules if not rule.holds]
    # the others say what evidence is missing; records of older code name no figure
    rules = [rule for rule in governed.rules if rule.figure] or governed.rules
    policy = governed.policy
    named = f"policy {policy.name}: " if policy is not None and policy.name != "default" else ""
    return Figures(
        [f"{named}{rules_hold(sum(rule.holds for rule in rules), len(rules))}", *broken, "model card written"]
    )


def _register(results: Results) -> Figures:
    registered = messages.Registered.model_validate(results["register"])
    version = results.get("version")
    hashes = [f"from data {version['data'][:8]}", f"code {version['code'][:8]}"] if version else []
    if registered.replaces is not None:
        hashes.append(f"the same model as version {registered.replaces}, whose artifacts or signature are gone")
    parts = [f"version {registered.version}", *hashes, *([] if registered.created else ["registered before"])]
    signed = version["signed"] if version else None
    parts += ["signed"] if signed else []
    change = registered.contract_change
    sentences = [change.what, change.who] if change else []
    return Figures(parts, [*sentences, NOT_SIGNED] if signed is False else sentences)


def _stage(results: Results) -> Figures:
    staged = messages.Staged.model_validate(results["stage"])
    parts = [
        f"{count(staged.rows, 'row')} replayed", f"p50 {staged.p50_ms:.1f} ms", f"p99 {staged.p99_ms:.1f} ms",
        count(staged.differences, "difference"),
    ]  # fmt: skip
    if staged.rows_per_second is not None:
        if staged.own_p99_ms is not None:
            parts.append(f"in the serving function: p99 {staged.own_p99_ms:.1f} ms")
        parts.append(f"{staged.rows_per_second:,.0f} rows/s with {staged.at_once} at once")
        if staged.memory_mb is not None:
            parts.append(f"{staged.memory_mb:,.0f} MB")
        if staged.cold_start_ms is not None:
            parts.append(f"cold start {staged.cold_start_ms:,.0f} ms")
    if staged.disagreement is not None:
        low, high = staged.disagreement
        parts.append(
            f"{staged.disagreements:,} of {count(staged.replayed, 'live row')} answered otherwise than by version"
            f" {staged.champion} ({low:.1%} to {high:.1%})"
        )
    refused = staged.reasons if staged.verdict == "refused" else []
    return Figures(parts, [*_first(refused), *_first(staged.notes)])


def _deploy(results: Results) -> Figures:
    weights = {int(version): weight for version, weight in results.get("route", {}).get("weights", {}).items()}
    shadow = results.get("route", {}).get("shadow")
    beside = [f"shadow: version {shadow}"] if shadow is not None else []
    return Figures([f"live: version {traffic(weights)}" if weights else "its version has no traffic", *beside])


def _first(sentences: list[str]) -> list[str]:
    """Return the first sentences, and how many more there are."""
    more = len(sentences) - MAX_SHOWN_SENTENCES
    return [*sentences[:MAX_SHOWN_SENTENCES], *([f"and {more:,} more"] if more > 0 else [])]


FIGURES: dict[str, Callable[[Results], Figures]] = {
    "pull": _pull, "collect": _collect, "preprocess": _preprocess, "engineer_features": _engineer_features,
    "train": _train,
    "score_candidate": _score_candidate, "validate": _validate, "refit": _refit, "govern": _govern,
    "register": _register, "stage": _stage, "deploy": _deploy,
}  # fmt: skip
