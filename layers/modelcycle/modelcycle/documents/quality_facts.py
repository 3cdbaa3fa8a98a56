"""Facts about a candidate's quality on the test rows: metrics, calibration, groups of people, weak spots."""

from __future__ import annotations

from typing import Any

from modelcycle.documents.made import Made
from modelcycle.documents.outline import Missing, Part, Table, escaped, number

MAX_SLICES = 10
MEANS = {"mean_prediction": "mean prediction", "mean_error": "mean error", "mae": "mean absolute error"}
TO_COMPARE_GROUPS = "name the columns in `sensitive_columns` of the pipeline file; they are not features"


def metric_table(made: Made) -> list[Part]:
    """Return the metrics with their 95 % intervals, beside those of the baseline and the champion."""
    validated, intervals = made.validate, made.report.get("intervals", {})
    champion, found = validated.champion or {}, made.find_unseen
    low, high = validated.interval
    headline = (
        f"deciding metric: {validated.metric} {validated.metrics[validated.metric]:.4g}, 95 % interval {low:.4g} to"
        f" {high:.4g}"
    )
    rows = [
        [name, number(value), _interval(intervals.get(name)), number(validated.baseline.get(name)),
         number(champion.get(name))]
        for name, value in sorted(validated.metrics.items())
    ]  # fmt: skip
    compared = []
    if validated.compared and found.champion is not None:
        compared.append(
            f"the column `champion` is version {found.champion}, on {validated.compared:,} test rows that neither"
            " model has learned from"
        )
    told = [*validated.ask, *(reason for reason in validated.reasons if reason not in validated.ask)]
    return [
        headline,
        *compared,
        Table(["metric", "candidate", "95 % interval", "baseline", "champion"], rows),
        *(escaped(reason) for reason in told),
    ]


def _interval(pair: Any) -> str:
    return f"{pair[0]:.4g} to {pair[1]:.4g}" if pair else ""


def calibration_table(made: Made) -> list[Part]:
    """Return what the model said beside what was true, by bins of probability."""
    bins = made.report.get("calibration") or []
    if not bins:
        if made.preprocess.task == "regression":
            return ["not applicable: the model predicts numbers, not probabilities"]
        return [Missing("calibration by bins of probability", "run again: the report of this run has none")]
    rows = [
        [
            f"{entry['from']:.2g} to {entry['to']:.2g}",
            f"{entry['rows']:,}",
            number(entry["said"]),
            number(entry["true"]),
        ]
        for entry in bins
    ]
    return [Table(["predicted probability", "rows", "mean prediction", "share that was true"], rows)]


def group_tables(made: Made) -> list[Part]:
    """Return the figures of each group of the sensitive columns, and what keeps them from being complete."""
    if not made.pipeline.sensitive_columns:
        return [Missing("figures by group of people", TO_COMPARE_GROUPS)]
    groups = made.report.get("groups") or {}
    parts: list[Part] = []
    for column, found in groups.items():
        names = sorted({name for figures in found["groups"].values() for name in figures} - {"rows"})
        rows = [
            [escaped(group), f"{figures.get('rows', 0):,.0f}", *(number(figures.get(name)) for name in names)]
            for group, figures in found["groups"].items()
        ]
        parts.append(f"by `{escaped(column)}`:")
        parts.append(Table(["group", "rows", *(name.replace("_", " ") for name in names)], rows))
        if found.get("differences"):
            worst = ", ".join(
                f"{name.replace('_', ' ')} {value:.3g}" for name, value in sorted(found["differences"].items())
            )
            parts.append(f"largest difference between two groups: {worst}")
    parts += _disparities(made)
    unseen = [column for column in made.pipeline.sensitive_columns if column not in groups]
    parts += [Missing(f"figures by {escaped(column)}", "run again with that column in the data") for column in unseen]
    return parts


def _disparities(made: Made) -> list[Part]:
    """Return how far each rate of the groups is apart, with intervals that hold together, and what was not judged."""
    fairness = made.report.get("fairness") or {}
    rows = [
        [
            escaped(title), escaped(" ".join([found["rate"].replace("_", " "), found.get("class", "")]).strip()),
            escaped(found["ratio"]["low_group"]), escaped(found["ratio"]["high_group"]), _with_interval(found["ratio"]),
            _with_interval(found["difference"]),
        ]
        for title, grouping in (fairness.get("groupings") or {}).items() for found in grouping["disparities"]
    ]  # fmt: skip
    head = ["groups by", "rate", "lowest", "highest", "ratio", "difference"]
    table: list[Part] = [f"how far apart, with {fairness['level']:.0%} intervals:", Table(head, rows)] if rows else []
    table += _means_apart(fairness)
    proxies = [f"{escaped(proxy.column)}: {escaped(proxy.why)}" for proxy in made.engineer_features.proxies]
    return [*table, *(escaped(note) for note in fairness.get("notes", [])), *proxies]


def _means_apart(fairness: dict[str, Any]) -> list[Part]:
    """Return how far the means of the groups of a regression are apart."""
    rows = [
        [
            escaped(title), MEANS.get(name, name), f"{escaped(gap['low_group'])}: {number(gap['low'])}",
            f"{escaped(gap['high_group'])}: {number(gap['high'])}", _with_interval(gap),
            _with_interval(gap["ratio"]) if "ratio" in gap else "",
        ]
        for title, measures in (fairness.get("gaps") or {}).items() for name, gap in measures.items()
    ]  # fmt: skip
    head = ["groups by", "mean", "lowest", "highest", "difference", "ratio"]
    return [f"how far apart, with {fairness['level']:.0%} intervals:", Table(head, rows)] if rows else []


def _with_interval(gap: dict[str, Any]) -> str:
    low, high = gap["interval"]
    return f"{number(gap['value'])} ({low:.3g} to {high:.3g})"


def limits(made: Made) -> list[Part]:
    """Return where the model is weak, as far as the run has measured it."""
    report, preprocessed = made.report, made.preprocess
    slices = (report.get("slices") or {}).get("worst", [])[:MAX_SLICES]
    parts: list[Part] = [
        f"worse beyond chance where {escaped(str(entry['column']))} is {escaped(str(entry['group']))}:"
        f" {_shown(entry)} on {entry['rows']:,} test rows"
        for entry in slices
    ]
    parts += [
        f"the loss grows by {entry['increase']:.3g} when {entry['share']:.0%} of the values are missing"
        for entry in (report.get("evidence") or {}).get("missing_values", [])
    ]
    curve = made.select_model.learning_curve
    if curve is not None and curve.helps:
        parts.append("more rows would help: with all rows it is better than with half of them, beyond chance")
    parts += [escaped(note) for note in preprocessed.notes]
    parts += [escaped(f"{left.column}: {left.why}") for left in made.engineer_features.warnings]
    return parts or ["none found on the test rows; nothing is known about rows that are unlike them"]


def _shown(entry: dict[str, Any]) -> str:
    """Return a slice's metric beside that of the rest."""
    rest = next((name for name in entry if name.startswith("rest_")), None)
    if rest is None:
        return f"loss {number(entry.get('loss'))}"
    name = rest.removeprefix("rest_")
    return f"{name.replace('_', ' ')} {number(entry[name])}, otherwise {number(entry[rest])}"


def importance_table(made: Made) -> list[Part]:
    """Return by how much the loss grows when a column's values are shuffled among the test rows."""
    found = (made.report.get("evidence") or {}).get("importance", [])
    if not found:
        return [Missing("importance of each column", "run again: the report of this run has none")]
    rows = [[escaped(entry["column"]), f"{entry['increase']:.4g}", f"{entry['error']:.1g}"] for entry in found]
    return [Table(["column", "increase of the loss when shuffled", "standard error"], rows)]
