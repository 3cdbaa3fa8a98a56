"""The evidence of a verdict: gates, metrics with intervals, comparisons, slices, groups, and what the columns do.

It is read from the validation report. What a report does not have (an older one, or an early end) is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cli.screens.fairness import fairness_text
from cli.screens.lines import clip, count, figure, labelled, table, words

MAX_SHOWN_SLICES = 5
MAX_SHOWN_COLUMNS = 8
MAX_SHOWN_CLASSES = 10  # of the confusion matrix
MAX_CELL = 40  # characters
COMPARED = {"new_rows": "on new rows"}  # other comparisons are against what their name says
LABEL_WIDTH = 18
SLICE_METRICS = ("accuracy", "rmse")

Report = Mapping[str, Any]


def verdict_text(report: Report) -> str:
    """Return the tables of a validation report, with an empty line before each."""
    parts = [
        _gates(report), _metrics(report), _comparisons(report), _slices(report), _groups(report),
        fairness_text(report.get("fairness") or {}), _evidence(report), _confusion(report),
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
    on_compared = metrics.get("candidate_on_compared") or {}
    rows = []
    for name in sorted(candidate, key=lambda name: (name != deciding, name)):
        cells = [words(name), figure(candidate[name]), _interval(intervals.get(name)), _figure(baseline.get(name))]
        if on_compared:
            cells.append(_figure(on_compared.get(name)))
        rows.append([*cells, *([_figure(champion.get(name))] if champion else [])])
    head = ["metric", "candidate", "95 % interval", "baseline"]
    if on_compared:
        head.append(f"on {count(report.get('compared') or 0, 'compared row')}")
    return table([*head, *(["champion there" if on_compared else "champion"] if champion else [])], rows)


def _comparisons(report: Report) -> str:
    rows = []
    for name, comparison in (report.get("comparisons") or {}).items():
        if not comparison or "advantage" not in comparison:
            continue
        advantage, bounds = comparison["advantage"], comparison.get("interval")
        told = f"{comparison.get('verdict', '')}: loss of a row {'higher' if advantage < 0 else 'lower'}"
        told += f" by {figure(abs(advantage))}"
        interval = _interval([-bounds[1], -bounds[0]] if bounds and advantage < 0 else bounds)
        told += f" ({interval})" if interval else ""
        told += f", {_p(comparison['p'])}" if "p" in comparison else ""
        told += f", on {count(comparison['rows'], 'row')}" if comparison.get("rows") else ""
        rows.append((COMPARED.get(name, f"against {name}"), told))
    parity = report.get("parity")
    if parity:
        rows.append(("ONNX", f"agrees with scikit-learn on {count(parity['rows'], 'row')}"))
    return "\n".join(f"  {line}" for line in labelled(rows, LABEL_WIDTH))


def _slices(report: Report) -> str:
    slices = report.get("slices") or {}
    worst = [
        [
            _slice(entry),
            count(entry["rows"], "row"),
            f"{name} {figure(entry[name])}",
            _figure(entry.get(f"rest_{name}")),
        ]
        for entry in (slices.get("worst") or [])[:MAX_SHOWN_SLICES]
        if (name := next((metric for metric in SLICE_METRICS if metric in entry), ""))
    ]
    lost = [
        [_slice(entry), count(entry["rows"], "row"), _figure(entry.get("candidate")), _figure(entry.get("champion"))]
        for entry in (slices.get("champion") or {}).get("slices") or []
        if entry.get("lost")
    ]
    return _tables(
        table(["worst slices", "", "", "elsewhere"], worst) if worst else "",
        table(["lost to the champion", "", "candidate", "champion"], lost) if lost else "",
    )


def _slice(entry: Mapping[str, Any]) -> str:
    return clip(f"{entry['column']} = {entry['group']}", MAX_CELL)


def _groups(report: Report) -> str:
    rows = [
        [clip(column, MAX_CELL), words(metric), figure(value)]
        for column, groups in (report.get("groups") or {}).items()
        for metric, value in sorted(groups.get("differences", {}).items())
    ]
    return table(["sensitive column", "metric", "largest difference"], rows) if rows else ""


def _evidence(report: Report) -> str:
    evidence = report.get("evidence") or {}
    importance = [
        [clip(entry["column"], MAX_CELL), _change(entry)]
        for entry in (evidence.get("importance") or [])[:MAX_SHOWN_COLUMNS]
    ]
    missing = [[f"{entry['share']:.0%} of the cells", _change(entry)] for entry in evidence.get("missing_values") or []]
    return _tables(
        table(["if shuffled", "loss of a row rises by"], importance) if importance else "",
        table(["if missing", "loss of a row rises by"], missing) if missing else "",
        _learning_curve(evidence.get("learning_curve")),
    )


def _learning_curve(curve: Mapping[str, Any] | None) -> str:
    """Return in one line what half of the rows would have given, and whether more would help."""
    points = (curve or {}).get("points") or []
    if curve is None or len(points) < 2:
        return ""
    half, full = points[-2], points[-1]
    told = f"with {count(half['rows'], 'row')} the held-out loss was {figure(half['loss'])}"
    told += f", with {full['rows']:,} it is {figure(full['loss'])}"
    return f"    {told}: more rows would {'still' if curve.get('helps') else 'hardly'} help"


def _change(entry: Mapping[str, Any]) -> str:
    error = entry.get("error")
    return figure(entry["increase"]) + (f" ± {figure(error)}" if error is not None else "")


def _tables(*tables: str) -> str:
    return "\n\n".join(part for part in tables if part)


def _confusion(report: Report) -> str:
    confusion = report.get("confusion") or {}
    classes = confusion.get("classes") or []
    if not 1 < len(classes) <= MAX_SHOWN_CLASSES:
        return ""
    names = [clip(str(name), 20) for name in classes]
    rows = [[name, *(f"{cell:,}" for cell in cells)] for name, cells in zip(names, confusion["counts"], strict=True)]
    return table(["true class", *(f"predicted {name}" for name in names)], rows)


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
