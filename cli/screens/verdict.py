"""The evidence of a verdict: gates, metrics with intervals, comparisons, slices, groups, and what the columns do.

It is read from the validation report. What a report does not have (an older one, or an early end) is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cli.screens.lines import clip, count, figure, labelled, table, words

MAX_SHOWN_SLICES = 5
MAX_SHOWN_COLUMNS = 8
MAX_SHOWN_CLASSES = 10  # of the confusion matrix
MAX_CELL = 40  # characters
LABEL_WIDTH = 18

Report = Mapping[str, Any]


def verdict_text(report: Report) -> str:
    """Return the tables of a validation report, with an empty line before each."""
    parts = [
        _gates(report), _metrics(report), _comparisons(report), _slices(report), _groups(report), _evidence(report),
        _confusion(report),
    ]  # fmt: skip
    return "\n".join(f"\n{part}" for part in parts if part)


def _gates(report: Report) -> str:
    gates = report.get("gates") or []
    rows = [["holds" if gate["holds"] else "fails", gate["name"], gate["detail"]] for gate in gates]
    return table([str(report.get("verdict", "")), "gate", "why"], rows) if rows else ""


def _metrics(report: Report) -> str:
    metrics = report.get("metrics") or {}
    candidate, baseline, champion = (metrics.get(name) or {} for name in ("candidate", "baseline", "champion"))
    if not candidate:
        return ""
    deciding = report.get("metric")
    intervals = {deciding: report.get("interval"), **(report.get("intervals") or {})}
    names = sorted(candidate, key=lambda name: (name != deciding, name))
    rows = [
        [
            words(name), figure(candidate[name]), _interval(intervals.get(name)), _figure(baseline.get(name)),
            _figure(champion.get(name)),
        ]
        for name in names
    ]  # fmt: skip
    head = ["metric", "candidate", "95 % interval", "baseline", "champion" if champion else ""]
    return table(head, rows)


def _comparisons(report: Report) -> str:
    rows = []
    for name, comparison in (report.get("comparisons") or {}).items():
        if not comparison or "advantage" not in comparison:
            continue
        interval = _interval(comparison.get("interval"))
        told = f"{comparison.get('verdict', '')}: loss of a row lower by {figure(comparison['advantage'])}"
        told += f" ({interval})" if interval else ""
        told += f", {_p(comparison['p'])}" if "p" in comparison else ""
        told += f", on {count(comparison['rows'], 'row')}" if comparison.get("rows") else ""
        rows.append((f"against {name}", told))
    parity = report.get("parity")
    if parity:
        rows.append(("ONNX", f"agrees with scikit-learn on {count(parity['rows'], 'row')}"))
    return "\n".join(f"  {line}" for line in labelled(rows, LABEL_WIDTH))


def _slices(report: Report) -> str:
    slices = report.get("slices") or {}
    worst = slices.get("worst") or []
    rows = []
    for entry in worst[:MAX_SHOWN_SLICES]:
        name = next((metric for metric in ("accuracy", "rmse") if metric in entry), "")
        rest = entry.get(f"rest_{name}")
        rows.append(
            [
                clip(f"{entry['column']} = {entry['group']}", MAX_CELL), count(entry["rows"], "row"),
                f"{name} {_figure(entry.get(name))}" if name else f"loss {_figure(entry.get('loss'))}",
                f"elsewhere {figure(rest)}" if rest is not None else "",
            ]
        )  # fmt: skip
    return table(["worst slices", "", "", ""], rows) if rows else ""


def _groups(report: Report) -> str:
    rows = [
        [clip(column, MAX_CELL), words(metric), figure(value)]
        for column, groups in (report.get("groups") or {}).items()
        for metric, value in sorted(groups.get("differences", {}).items())
    ]
    return table(["sensitive column", "metric", "largest difference"], rows) if rows else ""


def _evidence(report: Report) -> str:
    evidence = report.get("evidence") or {}
    tables = [
        _records(title, evidence.get(key))
        for key, title in (("importance", "columns by importance"), ("robustness", "with missing values"))
    ]
    return "\n\n".join(part for part in tables if part)


def _records(title: str, value: Any) -> str:
    """Return a table of figures: a list of objects, or an object that has one or maps names to figures."""
    if isinstance(value, Mapping):
        inner = next((item for item in value.values() if isinstance(item, list) and item), None)
        plain = [
            {"": name, "value": item}
            for name, item in value.items()
            if isinstance(item, int | float) and not isinstance(item, bool)
        ]
        value = inner if inner is not None else plain
    if not isinstance(value, Sequence) or isinstance(value, str) or not value or not isinstance(value[0], Mapping):
        return ""
    names = [name for name, item in value[0].items() if isinstance(item, str | int | float)]
    rows = [[_cell(entry.get(name)) for name in names] for entry in value[:MAX_SHOWN_COLUMNS]]
    return f"    {title}\n" + table([words(name) for name in names], rows)


def _confusion(report: Report) -> str:
    confusion = report.get("confusion") or {}
    classes = confusion.get("classes") or []
    if not 1 < len(classes) <= MAX_SHOWN_CLASSES:
        return ""
    names = [clip(str(name), 20) for name in classes]
    rows = [[name, *(f"{cell:,}" for cell in cells)] for name, cells in zip(names, confusion["counts"], strict=True)]
    return table(["true class", *(f"predicted {name}" for name in names)], rows)


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return figure(value) if isinstance(value, float) else clip(str(value), MAX_CELL)


def _figure(value: float | None) -> str:
    return "" if value is None else figure(value)


def _interval(interval: Any) -> str:
    if isinstance(interval, Mapping):
        interval = (interval.get("low"), interval.get("high"))
    if not isinstance(interval, Sequence) or len(interval) != 2 or None in interval:
        return ""
    return f"{figure(interval[0])} to {figure(interval[1])}"


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"
