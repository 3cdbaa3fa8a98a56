"""The model card (Mitchell et al. 2019, "Model Cards for Model Reporting"), made of recorded facts only."""

from __future__ import annotations

from modelcycle.govern.facts import Facts
from modelcycle.messages import CaseRecipe, Rule
from modelcycle.policy import Policy


def card(facts: Facts, rules: list[Rule], decision: str, cases: CaseRecipe | None, policy: Policy) -> str:
    """Return the card as Markdown. No part of it is written by hand, so no part can be out of date.

    Parameters
    ----------
    rules : the checked rules of the policy
    decision : the policy's, `passed` or `refused`
    cases : how a row's case is made, None if the run has no cases
    policy : that applies to the model
    """
    request, pipeline = facts.request, facts.pipeline
    run, preprocessed = request.run, request.preprocess
    lines = [
        f"# {run.model}",
        "",
        f"Predicts `{_escape(pipeline.target)}` ({preprocessed.task}). Run {run.run_id}, started"
        f" {run.started_at:%Y-%m-%d %H:%M} UTC by {run.trigger.kind}. Decision of the policy: **{decision}**.",
        *_data(facts, cases),
        *_model(facts),
        *_quality(facts),
        "",
        "## Columns",
        "",
        "| column | enters as | why |",
        "|---|---|---|",
        *(
            f"| {_escape(planned.column)} | {planned.treatment.replace('_', ' ')} | {_escape(planned.why)} |"
            for planned in facts.plan.columns
        ),
        "",
        "## Policy",
        "",
        f"{policy.name}, version {policy.version} (`{policy.sha[:12]}`), risk tier {policy.risk_tier}.",
        "",
        *(f"- [{'x' if rule.holds else ' '}] {rule.name}{': ' + rule.detail if rule.detail else ''}" for rule in rules),
        "",
    ]
    return "\n".join(lines)


def _data(facts: Facts, cases: CaseRecipe | None) -> list[str]:
    collected, preprocessed = facts.request.collect, facts.request.preprocess
    train, validation, test = preprocessed.split
    quarantined = collected.quarantined + preprocessed.quarantined
    by = f"`{_escape(facts.pipeline.time_column)}`" if facts.pipeline.time_column else "a hash of each row's case"
    repeated = [f"- left out, because another file has the same content: {_escape(key)}" for key in collected.repeated]
    if collected.files_left_out > len(repeated):
        repeated.append(f"- and {collected.files_left_out - len(repeated):,} more such files; the manifest names them")
    return [
        "",
        "## Data",
        "",
        f"- {collected.rows:,} rows from {collected.objects} objects (manifest `{collected.manifest.sha256[:12]}`)",
        *repeated,
        f"- {preprocessed.kept:,} kept, {quarantined:,} quarantined, {preprocessed.duplicates:,} duplicates dropped",
        f"- split: {train:,} train, {validation:,} validation, {test:,} test, by {by}",
        *([f"- {_cases_in_words(cases, preprocessed.cases)}"] if cases else []),
        *(f"- {_escape(note)}" for note in preprocessed.notes),
    ]


def _cases_in_words(cases: CaseRecipe, number: int) -> str:
    """Return how a case is made, as a sentence."""
    if cases.kind == "group":
        columns = ", ".join(f"`{_escape(column.name)}`" for column in cases.columns)
        return f"{number:,} cases: rows with equal {columns} are one case, which is never in two parts"
    if cases.kind == "row":
        return f"{number:,} cases: each row is one, because equal rows are different observations"
    return f"{number:,} cases: rows with equal features are one case, which is never in two parts"


def _model(facts: Facts) -> list[str]:
    selected, refit = facts.request.select_model, facts.request.refit
    train, validation, test = facts.request.preprocess.split
    recipe = selected.recipe
    live = (
        f"- the live model has learned from all {refit.rows:,} rows, test rows included; its twin, with the same recipe"
        f" but without the {test:,} test rows, was judged"
        if refit.done
        else f"- the live model has learned from {train + validation:,} rows, and {test:,} others judged it"
    )
    members = []
    for member in recipe.members:
        trial = member.trial
        share = f", weight {member.weight:.3g}" if len(recipe.members) > 1 else ""
        members.append(f"- {trial.algorithm}, trial {trial.number} of {selected.trials}, seed {trial.seed}{share}")
        members += [f"  - {name}: {value}" for name, value in sorted(trial.parameters.items())]
    calibrated, threshold = recipe.calibration, recipe.threshold
    return [
        "",
        "## Model",
        "",
        live,
        *([f"- {_escape(refit.reason)}"] if refit.reason else []),
        *members,
        *([f"- calibrated: slope {calibrated.slope:.4g}, intercept {calibrated.intercept:.4g}"] if calibrated else []),
        *([f"- predicts the positive class from probability {threshold:.4g}"] if threshold is not None else []),
        *(f"- {_escape(note)}" for note in selected.notes),
        f"- served as ONNX opset {selected.opset}",
    ]


def _quality(facts: Facts) -> list[str]:
    validated, refit = facts.request.validate_, facts.request.refit
    low, high = validated.interval
    champion = validated.champion or {}
    found = facts.request.find_unseen
    told = [*validated.ask, *(reason for reason in validated.reasons if reason not in validated.ask)]
    compared = ""
    if validated.compared and found.champion is not None:
        compared = (
            f" The column `champion` is version {found.champion}, on {validated.compared:,} test rows that neither"
            " model has learned from."
        )
    return [
        "",
        f"## Quality{' of the twin' if refit.done else ''} on {facts.request.preprocess.split[2]:,} test rows",
        "",
        f"Deciding metric: {validated.metric} {validated.metrics[validated.metric]:.4g},"
        f" 95 % interval {low:.4g} to {high:.4g}.{compared}",
        "",
        "| metric | candidate | baseline | champion |",
        "|---|---|---|---|",
        *(
            f"| {name} | {value:.4g} | {_format(validated.baseline.get(name))} | {_format(champion.get(name))} |"
            for name, value in sorted(validated.metrics.items())
        ),
        *(["", *(f"- {_escape(reason)}" for reason in told)] if told else []),
    ]


def _format(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _escape(text: str) -> str:
    """Return a text as it may be written in a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ").replace("`", "'")
