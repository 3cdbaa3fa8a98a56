"""An index of a version's evidence by the categories of the NIST AI Risk Management Framework (NIST AI 100-1, 2023).

https://doi.org/10.6028/NIST.AI.100-1, section 5, has the categories. The index says where the evidence is; it is no
claim that an outcome of the framework is reached.
"""

from __future__ import annotations

from datetime import datetime

from modelcycle.documents.life import Life, incident_table, monitoring_facts, staging_facts
from modelcycle.documents.made import Made
from modelcycle.documents.outline import Document, Part, Section, escaped
from modelcycle.documents.quality_facts import calibration_table, group_tables, limits, metric_table
from modelcycle.documents.said import said


def risk_index(made: Made, life: Life, written_at: datetime) -> Document:
    """Return the index of a version, as of `written_at` (UTC)."""
    return Document(
        f"NIST AI RMF index of {life.name}",
        [
            f"Written {written_at:%Y-%m-%d %H:%M} UTC. For each category of the framework: the evidence on record, or"
            " what is missing. It is no claim that an outcome is reached."
        ],
        [
            Section("GOVERN", []), *(Section(title, parts, 3) for title, parts in _govern(life)),
            Section("MAP", []), *(Section(title, parts, 3) for title, parts in _map(made, life)),
            Section("MEASURE", []), *(Section(title, parts, 3) for title, parts in _measure(made, life)),
            Section("MANAGE", []), *(Section(title, parts, 3) for title, parts in _manage(life)),
        ],
    )  # fmt: skip


def _govern(life: Life) -> list[tuple[str, list[Part]]]:
    about, model = life.about, life.version.model
    decided = [
        f"{entry.at:%Y-%m-%d %H:%M} {escaped(entry.decision)} by {escaped(entry.by)}" for entry in life.decisions[:10]
    ]
    return [
        ("GOVERN 1: policies and processes are in place", [f"`modelcycle policy {model}` shows the policy", *decided]),
        ("GOVERN 2: accountability, roles and training", [said(about, "owner"), said(about, "users")]),
        ("GOVERN 3: diversity, equity, inclusion", [said(about, "people")]),
        ("GOVERN 4: communication about risk", [said(about, "risks"), said(about, "contact")]),
        ("GOVERN 5: engagement with people concerned", [said(about, "contact"), said(about, "people")]),
        ("GOVERN 6: third-party software and data", ["bill of materials: `bom.cdx.json`", said(about, "data_origin")]),
    ]


def _map(made: Made, life: Life) -> list[tuple[str, list[Part]]]:
    about = life.about
    task = f"{made.preprocess.task} of `{escaped(made.pipeline.target)}`"
    return [
        ("MAP 1: context", [said(about, "purpose"), said(about, "users"), said(about, "interaction")]),
        ("MAP 2: categorisation", [task, f"learned from {made.learned_rows:,} rows", *limits(made)]),
        ("MAP 3: capabilities, benefits and costs", [said(about, "metric_choice"), said(about, "oversight")]),
        ("MAP 4: risks of components and third parties", ["bill of materials: `bom.cdx.json`"]),
        ("MAP 5: impacts on people", [said(about, "people"), said(about, "risks")]),
    ]


def _measure(made: Made, life: Life) -> list[tuple[str, list[Part]]]:
    return [
        (
            "MEASURE 1: methods and metrics",
            [f"deciding metric: {made.validate.metric}", said(life.about, "metric_choice")],
        ),
        (
            "MEASURE 2: trustworthy characteristics are evaluated",
            [*metric_table(made), *calibration_table(made), *group_tables(made), *staging_facts(life)],
        ),
        ("MEASURE 3: risks are tracked over time", [*monitoring_facts(life), *incident_table(life)]),
        ("MEASURE 4: feedback about measurement", _feedback(life)),
    ]


def _feedback(life: Life) -> list[Part]:
    audited = life.monitored.estimate if life.monitored is not None else None
    if audited is None:
        return ["no estimate of performance has been held against outcomes yet"]
    return [f"estimates are held against the outcomes that come later; the newest: {escaped(str(audited))}"]


def _manage(life: Life) -> list[tuple[str, list[Part]]]:
    about = life.about
    return [
        ("MANAGE 1: risks are prioritised and acted on", [said(about, "risks"), *incident_table(life)]),
        (
            "MANAGE 2: benefits are maximised, harm minimised",
            ["`modelcycle rollback` takes the version back", said(about, "oversight"), said(about, "not_for")],
        ),
        ("MANAGE 3: third parties are managed", ["packages are locked with hashes; `make sbom` lists them"]),
        ("MANAGE 4: treatment is monitored and told", [*monitoring_facts(life), said(about, "plan_after_market")]),
    ]
