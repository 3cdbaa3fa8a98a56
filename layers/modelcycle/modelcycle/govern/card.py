"""The model card, from recorded facts alone (Mitchell et al. 2019, "Model Cards for Model Reporting")."""

from __future__ import annotations

from modelcycle.govern.policy import Facts
from modelcycle.messages import Rule


def card(facts: Facts, rules: list[Rule], decision: str) -> str:
    """Markdown. Nothing in it is written by hand, so nothing in it is out of date."""
    request, pipeline = facts.request, facts.pipeline
    judged, prepared, chosen = request.validate_, request.preprocess, request.select_model
    champion = judged.champion or {}
    when = f"{request.run.started_at:%Y-%m-%d %H:%M} UTC"
    low, high = judged.interval
    quarantined = request.collect.quarantined + prepared.quarantined
    lines = [
        f"# {request.run.model}",
        "",
        f"Predicts `{pipeline.target}` ({prepared.task}). Run {request.run.run_id}, started {when}"
        f" by {request.run.trigger.kind}. Decision of the policy: **{decision}**.",
        "",
        "## Data",
        "",
        f"- {request.collect.rows:,} rows from {request.collect.objects} objects"
        f" (manifest `{request.collect.manifest.sha256[:12]}`)",
        f"- {prepared.kept:,} kept, {quarantined:,} quarantined, {prepared.duplicates:,} exact duplicates",
        f"- split: {prepared.split[0]:,} train, {prepared.split[1]:,} validation, {prepared.split[2]:,} test, by "
        + (f"`{pipeline.time_column}`" if pipeline.time_column else "a hash of each row"),
        "",
        "## Model",
        "",
        f"- {chosen.best.algorithm}, trial {chosen.best.number} of {chosen.trials}, seed {chosen.best.seed};"
        f" served as ONNX opset {chosen.opset}",
        *(f"- {name}: {value}" for name, value in sorted(chosen.best.parameters.items())),
        "",
        f"## Quality on {prepared.split[2]:,} test rows",
        "",
        f"Decides: {judged.metric} {judged.metrics[judged.metric]:.4g}, 95 % interval {low:.4g} to {high:.4g}.",
        "",
        "| metric | candidate | baseline | champion |",
        "|---|---|---|---|",
        *(
            f"| {name} | {value:.4g} | {_shown(judged.baseline.get(name))} | {_shown(champion.get(name))} |"
            for name, value in sorted(judged.metrics.items())
        ),
        "",
        "## Columns",
        "",
        "| column | enters as | why |",
        "|---|---|---|",
        *(f"| {_cell(p.column)} | {p.treatment.replace('_', ' ')} | {_cell(p.why)} |" for p in facts.plan.columns),
        "",
        "## Policy",
        "",
        *(f"- [{'x' if rule.holds else ' '}] {rule.name}{': ' + rule.detail if rule.detail else ''}" for rule in rules),
        "",
    ]
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("`", "'")
