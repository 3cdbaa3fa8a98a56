"""The model card (Mitchell et al. 2019, "Model Cards for Model Reporting"), with the sections of skops' cards."""

from __future__ import annotations

from collections.abc import Sequence

from modelcycle.documents.data_facts import row_facts
from modelcycle.documents.made import Made
from modelcycle.documents.model_facts import parameter_table, training_facts, used_column_table
from modelcycle.documents.outline import Code, Document, Section, escaped
from modelcycle.documents.quality_facts import calibration_table, group_tables, importance_table, limits, metric_table
from modelcycle.documents.said import said
from modelcycle.messages import Rule


def card(made: Made, rules: Sequence[Rule], decision: str, policy: str) -> Document:
    """Return the card of a candidate.

    Parameters
    ----------
    rules : the checked rules of the policy
    decision : the policy's, `passed` or `refused`
    policy : its name, version and risk tier, as a sentence
    """
    run, about, test = made.run, made.pipeline.about, made.preprocess.split[2]
    of_twin = " of the twin" if made.refit.done else ""
    return Document(
        run.model,
        [
            f"Predicts `{escaped(made.pipeline.target)}` ({made.preprocess.task}). Run {run.run_id}, started"
            f" {run.started_at:%Y-%m-%d %H:%M} UTC by {run.trigger.kind}. Decision of the policy: **{decision}**."
        ],
        [
            Section("Model description", []),
            Section("Intended uses and limitations", [said(about, "purpose"), said(about, "users")], 3),
            Section("Not intended for", [said(about, "not_for")], 3),
            Section("Training data", [*row_facts(made), *(escaped(note) for note in made.preprocess.notes)], 3),
            Section("Training procedure", training_facts(made), 3),
            Section("Hyperparameters", [parameter_table(made)], 3),
            Section("Columns", [used_column_table(made)], 3),
            Section(f"Evaluation results{of_twin} on {test:,} test rows", metric_table(made)),
            Section("Calibration", calibration_table(made), 3),
            Section("Groups of people", group_tables(made), 3),
            Section("Importance of columns", importance_table(made), 3),
            Section("Where it is weak", limits(made), 3),
            Section("How to get started with the model", [Code(f"modelcycle predict {run.model} --data new.csv")]),
            Section("Policy", [policy, *(_checked(rule) for rule in rules)]),
            Section("Authors and contact", [said(about, "owner"), said(about, "contact")]),
        ],
    )


def _checked(rule: Rule) -> str:
    detail = f": {escaped(rule.detail)}" if rule.detail else ""
    return f"[{'x' if rule.holds else ' '}] {rule.name}{detail}"
