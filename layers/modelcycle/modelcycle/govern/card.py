"""The model card (Mitchell et al. 2019, "Model Cards for Model Reporting"), made of recorded facts only."""

from __future__ import annotations

from modelcycle.govern.policy import Facts
from modelcycle.messages import Rule


def card(facts: Facts, rules: list[Rule], decision: str) -> str:
    """Return the card as Markdown. No part of it is written by hand, so no part can be out of date.

    Parameters
    ----------
    rules : the checked rules of the policy
    decision : the policy's, `passed` or `refused`
    """
    request, pipeline = facts.request, facts.pipeline
    run, collected, preprocessed = request.run, request.collect, request.preprocess
    selected, validated = request.select_model, request.validate_
    low, high = validated.interval
    quarantined = collected.quarantined + preprocessed.quarantined
    train, validation, test = preprocessed.split
    champion = validated.champion or {}
    lines = [
        f"# {run.model}",
        "",
        f"Predicts `{pipeline.target}` ({preprocessed.task}). Run {run.run_id}, started"
        f" {run.started_at:%Y-%m-%d %H:%M} UTC by {run.trigger.kind}. Decision of the policy: **{decision}**.",
        "",
        "## Data",
        "",
        f"- {collected.rows:,} rows from {collected.objects} objects (manifest `{collected.manifest.sha256[:12]}`)",
        f"- {preprocessed.kept:,} kept, {quarantined:,} quarantined, {preprocessed.duplicates:,} exact duplicates",
        f"- split: {train:,} train, {validation:,} validation, {test:,} test, by "
        + (f"`{pipeline.time_column}`" if pipeline.time_column else "a hash of each row"),
        "",
        "## Model",
        "",
        f"- {selected.best.algorithm}, trial {selected.best.number} of {selected.trials}, seed {selected.best.seed};"
        f" served as ONNX opset {selected.opset}",
        *(f"- {name}: {value}" for name, value in sorted(selected.best.parameters.items())),
        "",
        f"## Quality on {test:,} test rows",
        "",
        f"Deciding metric: {validated.metric} {validated.metrics[validated.metric]:.4g},"
        f" 95 % interval {low:.4g} to {high:.4g}.",
        "",
        "| metric | candidate | baseline | champion |",
        "|---|---|---|---|",
        *(
            f"| {name} | {value:.4g} | {_format(validated.baseline.get(name))} | {_format(champion.get(name))} |"
            for name, value in sorted(validated.metrics.items())
        ),
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
        *(f"- [{'x' if rule.holds else ' '}] {rule.name}{': ' + rule.detail if rule.detail else ''}" for rule in rules),
        "",
    ]
    return "\n".join(lines)


def _format(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _escape(text: str) -> str:
    """Return a text as it may be written in a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ").replace("`", "'")
