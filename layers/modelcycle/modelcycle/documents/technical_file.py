"""The technical file of a version, by the headings of Annex IV of the EU AI Act (Regulation (EU) 2024/1689).

https://eur-lex.europa.eu/eli/reg/2024/1689/oj has the text. Each heading shows what is on record, or what is missing.
That a heading is filled does not say that it is enough: a person who answers for the system judges that.
"""

from __future__ import annotations

from datetime import datetime

from modelcycle.documents.data_facts import column_table, file_table, row_facts
from modelcycle.documents.life import (
    Life,
    decision_table,
    incident_table,
    monitoring_facts,
    move_table,
    staging_facts,
)
from modelcycle.documents.made import Made
from modelcycle.documents.model_facts import package_table, parameter_table, training_facts, used_column_table
from modelcycle.documents.outline import Document, Missing, Part, Section, Table, escaped
from modelcycle.documents.quality_facts import calibration_table, group_tables, importance_table, limits, metric_table
from modelcycle.documents.said import said

MAX_LISTED_VERSIONS = 50
INTRODUCTION = [
    "This file follows the headings of Annex IV of Regulation (EU) 2024/1689 (the AI Act). It is made of what is on"
    " record, and names what is missing. The obligations for the high-risk systems of Annex III apply from 2 December"
    " 2027. Whether this system is one of them, and whether a heading says enough, is for its provider to judge.",
    "Article 12 asks that events are recorded. This system also chains its decisions, so that changes can be found;"
    " the Act does not ask for that.",
]


def technical_file(made: Made, life: Life, written_at: datetime) -> Document:
    """Return the technical file of a version, as of `written_at` (UTC)."""
    return Document(
        f"Technical file of {life.name}",
        [f"Written {written_at:%Y-%m-%d %H:%M} UTC.", *INTRODUCTION],
        [
            *_general(made, life), *_development(made, life), *_control(made, life), *_changes(life), *_conformity(life)
        ],
    )  # fmt: skip


def _general(made: Made, life: Life) -> list[Section]:
    about, version = life.about, life.version
    return [
        Section("1. General description", []),
        Section(
            "1 (a) Intended purpose, provider, version and its relation to previous versions",
            [said(about, "purpose"), said(about, "provider"), _version(life), *_versions(life)], 3,
        ),
        Section("1 (b) Interaction with other hardware, software and AI systems", [said(about, "interaction")], 3),
        Section(
            "1 (c) Versions of software, and requirements of updates",
            [f"code `{version.code[:16]}`", f"Python {made.runtime['python']}", package_table(made)], 3,
        ),
        Section(
            "1 (d) Forms in which it is put into service",
            [
                f"an HTTP API: `POST /models/{version.model}/predict`, and the Open Inference Protocol",
                f"files: batch scoring of objects under `score/{version.model}/`",
            ], 3,
        ),
        Section(
            "1 (e) Hardware on which it runs",
            [f"AWS Lambda functions; this version was made on {made.runtime['system']} {made.runtime['machine']}"], 3,
        ),
        Section("1 (f) Illustrations of products of which it is a component", [said(about, "interface")], 3),
        Section(
            "1 (g) User interface of the deployer",
            [said(about, "interface"), f"`modelcycle show {version.model}` and the other commands of docs/cli.md"], 3,
        ),
        Section("1 (h) Instructions for use", [said(about, "instructions")], 3),
    ]  # fmt: skip


def _development(made: Made, life: Life) -> list[Section]:
    about = life.about
    return [
        Section("2. Elements of the system and its development", []),
        Section(
            "2 (a) Methods and steps of development",
            [
                f"run {made.run.run_id}, started {made.run.started_at:%Y-%m-%d %H:%M} UTC by {made.run.trigger.kind};"
                " each step, its inputs and results are in the lineage",
                f"lineage: `{life.version.lineage.uri}`, SHA-256 `{life.version.lineage.sha256[:16]}`",
                "no pre-trained model is used; the packages under 1 (c) are third-party tools",
            ], 3,
        ),
        Section(
            "2 (b) Design: logic, choices, assumptions, what it optimises",
            [*training_facts(made), parameter_table(made), used_column_table(made), said(about, "people"),
             f"expected output: {_output(made)}", f"it optimises {made.validate.metric} on held-out rows"], 3,
        ),
        Section(
            "2 (c) Architecture and computing resources",
            [
                "each step of the lifecycle is a function, chained by state machines: docs/architecture.md",
                *staging_facts(life),
            ], 3,
        ),
        Section(
            "2 (d) Data: provenance, scope, selection, labelling, cleaning",
            [said(about, "data_origin"), said(about, "labelling"), said(about, "data_gaps"), *row_facts(made),
             *file_table(made), *column_table(made), *(escaped(note) for note in made.preprocess.notes)], 3,
        ),
        Section(
            "2 (e) Human oversight",
            [said(about, "oversight"),
             "an operator takes a version back with `modelcycle rollback`; it holds everywhere within two seconds",
             "each answer can be asked for its reasons: `modelcycle explain`"], 3,
        ),
        Section("2 (f) Pre-determined changes", _planned_changes(made), 3),
        Section(
            "2 (g) Validation and testing",
            [*row_facts(made)[-2:], *metric_table(made), *calibration_table(made), *group_tables(made),
             f"test report: `{life.version.validation.uri}`, SHA-256 `{life.version.validation.sha256[:16]}`"], 3,
        ),
        Section(
            "2 (h) Cybersecurity",
            [
                "each function has a role of its own: docs/security.md; threats and their tests: docs/threat-model.md",
                "artifacts are read only if their SHA-256 is the registered one",
            ], 3,
        ),
    ]  # fmt: skip


def _control(made: Made, life: Life) -> list[Section]:
    about = life.about
    return [
        Section("3. Monitoring, functioning and control", []),
        Section("Capabilities and limitations, accuracy for groups", [*limits(made), *importance_table(made)], 3),
        Section("Foreseeable unintended outcomes and risks", [said(about, "not_for"), said(about, "risks")], 3),
        Section("Human oversight", [said(about, "oversight"), *decision_table(life)], 3),
        Section("Specifications of input data", [used_column_table(made), *_contract(life)], 3),
        Section(
            "4. Appropriateness of the performance metrics",
            [said(about, "metric_choice"), f"the metric that decides: {made.validate.metric}"],
        ),
        Section("5. Risk management system (Article 9)", [said(about, "risks")]),
    ]


def _changes(life: Life) -> list[Section]:
    return [
        Section("6. Changes through the lifecycle", [*move_table(life), *_versions(life)]),
    ]


def _conformity(life: Life) -> list[Section]:
    about = life.about
    return [
        Section("7. Standards applied", [said(about, "standards")]),
        Section("8. EU declaration of conformity (Article 47)", [said(about, "declaration")]),
        Section(
            "9. Evaluation after it is on the market (Article 72)",
            [said(about, "plan_after_market"), *monitoring_facts(life), *incident_table(life)],
        ),
    ]


def _version(life: Life) -> str:
    version, standing = life.version, life.standing
    return (
        f"version {version.version}, registered {version.created_at:%Y-%m-%d %H:%M} UTC;"
        f" {standing.state.replace('_', ' ')} since {standing.at:%Y-%m-%d %H:%M} by {escaped(standing.by)}"
    )


def _versions(life: Life) -> list[Part]:
    if not life.others:
        return ["there is no other version"]
    rows = [
        [f"{other.version}", f"{other.created_at:%Y-%m-%d}", f"{other.metric} {other.metrics[other.metric]:.4g}",
         f"`{other.data[:12]}`", f"`{other.code[:12]}`"]
        for other in life.others[:MAX_LISTED_VERSIONS]
    ]  # fmt: skip
    return [Table(["other version", "registered", "on its test rows", "data", "code"], rows)]


def _output(made: Made) -> str:
    if made.preprocess.task == "regression":
        return f"a number, `{escaped(made.pipeline.target)}`"
    classes = ", ".join(escaped(level) for level in made.profile.target.levels)
    return f"one of {classes}, with probabilities"


def _planned_changes(made: Made) -> list[Part]:
    retraining, approval = made.pipeline.retraining, made.pipeline.approval
    return [
        f"it is trained again when degraded: {'yes' if retraining.on_degraded else 'no'}; by time:"
        f" {retraining.every or 'no'}; after new labelled rows: {retraining.new_rows or 'no'}; with new code:"
        f" {'yes' if retraining.on_code else 'no'}",
        f"at most {retraining.per_week} such runs in seven days; paused after {retraining.pause_after} refused ones",
        "a new version needs approval" if approval.required else "a new version goes live when gates and policy pass",
        "each is judged against the live version on rows that neither has learned from (docs/retraining.md)",
    ]


def _contract(life: Life) -> list[Part]:
    contract = life.version.contract
    if contract is None:
        return [Missing("a contract of the input data", "run again: this version is older than contracts")]
    return [f"contract: `{contract.uri}`, SHA-256 `{contract.sha256[:16]}`; `modelcycle contract {life.version.model}`"]
