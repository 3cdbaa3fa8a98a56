"""How differently the groups of sensitive columns are treated, as `modelcycle show` prints it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cli.screens.lines import clip, count, figure, table

MAX_SHOWN_GROUPS = 12  # of a column; --json has more
MAX_CELL = 40  # characters
RATES = {"selection_rate": "selected", "tpr": "true positive", "fpr": "false positive", "precision": "precision"}
MEANS = {"mean_prediction": "mean prediction", "mean_error": "mean error", "mae": "mean absolute error"}


def fairness_text(fairness: Mapping[str, Any]) -> str:
    """Return the tables of a validation report's section `fairness`: rates by group, and how far they are apart."""
    groupings = fairness.get("groupings") or {}
    single = {title: grouping for title, grouping in groupings.items() if len(grouping["columns"]) == 1}
    parts = [
        *(_groups(title, grouping) for title, grouping in single.items()),
        _apart(groupings),
        _mitigated(fairness.get("mitigation") or {}),
        _means(fairness.get("gaps") or {}),
        "\n".join(f"    {note}" for note in fairness.get("notes") or []),
    ]
    return "\n\n".join(part for part in parts if part)


def _groups(title: str, grouping: Mapping[str, Any]) -> str:
    groups = grouping["groups"]
    by_class = any("class" in entry for entry in groups)
    rows = [
        [
            clip(entry["group"], MAX_CELL), *([clip(str(entry["class"]), MAX_CELL)] if by_class else []),
            count(entry["rows"], "row"), *(_rate(entry.get(rate)) for rate in RATES),
            _calibration(entry.get("calibration") or {}),
        ]
        for entry in groups[:MAX_SHOWN_GROUPS]
    ]  # fmt: skip
    head = [clip(title, MAX_CELL), *(["class"] if by_class else []), "", *RATES.values(), "predicted too high by"]
    return table(head, rows) if rows else ""


def _rate(rate: Mapping[str, float] | None) -> str:
    return "" if rate is None else f"{figure(rate['value'])} ({figure(rate['low'])} to {figure(rate['high'])})"


def _calibration(calibration: Mapping[str, Any]) -> str:
    interval = calibration.get("interval")
    if "excess" not in calibration:
        return ""
    told = figure(calibration["excess"])
    return told if interval is None else f"{told} ({figure(interval[0])} to {figure(interval[1])})"


def _apart(groupings: Mapping[str, Any]) -> str:
    rows = list(_rows(groupings))
    head = ["apart", "", "lowest", "highest", "ratio", "95 % interval", "difference", "95 % interval"]
    return table(head, rows) if rows else ""


def _rows(groupings: Mapping[str, Any]) -> Iterator[list[str]]:
    for title, grouping in groupings.items():
        for entry in grouping["disparities"]:
            ratio, difference = entry["ratio"], entry["difference"]
            rate = RATES.get(entry["rate"], entry["rate"]) + (f", {entry['class']}" if "class" in entry else "")
            yield [
                clip(title, MAX_CELL), clip(rate, MAX_CELL), clip(ratio["low_group"], MAX_CELL),
                clip(ratio["high_group"], MAX_CELL), "" if ratio["value"] is None else figure(ratio["value"]),
                _interval(ratio["interval"]), figure(difference["value"]), _interval(difference["interval"]),
            ]  # fmt: skip


def _mitigated(mitigation: Mapping[str, Any]) -> str:
    rows = [
        [name, figure(values["before"]), figure(values["after"])]
        for name, values in (mitigation.get("figures") or {}).items()
    ]
    return table([f"mitigated by {mitigation['kind']}", "before", "after"], rows) if rows else ""


def _means(gaps: Mapping[str, Any]) -> str:
    rows = [
        [
            clip(title, MAX_CELL), MEANS.get(name, name), f"{clip(gap['low_group'], MAX_CELL)}: {figure(gap['low'])}",
            f"{clip(gap['high_group'], MAX_CELL)}: {figure(gap['high'])}", figure(gap["value"]),
            _interval(gap["interval"]), *_ratio(gap.get("ratio")),
        ]
        for title, measures in gaps.items()
        for name, gap in measures.items()
    ]  # fmt: skip
    head = ["apart", "", "lowest", "highest", "difference", "95 % interval", "ratio", "95 % interval"]
    return table(head, rows) if rows else ""


def _ratio(ratio: Mapping[str, Any] | None) -> list[str]:
    return ["", ""] if ratio is None else [figure(ratio["value"]), _interval(ratio["interval"])]


def _interval(interval: Any) -> str:
    return f"{figure(interval[0])} to {figure(interval[1])}"
