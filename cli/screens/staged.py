"""The screen of a version's report of staging: the load test, the replay of captured requests, the limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cli.screens.lines import clip, count, labelled, table

LABEL_WIDTH = 15  # characters, as on the screen of a version
MAX_SHOWN_ROWS = 5  # of a replay; --json prints 20, and names the object that has all
SOURCES = {
    "log": "Lambda's log",
    "function": "the function itself; Lambda's log has none here, and a start on AWS takes longer",
}


def staged_text(report: dict[str, Any]) -> str:
    """Return what staging measured, and which captured rows candidate and champion answer most differently.

    Parameters
    ----------
    report : as `stage` writes it
    """
    rows = [
        ("staging", f"{report['verdict']} by run {report['run_id']}"),
        ("rehearsal", _rehearsal(report)),
        *[("against it", reason) for reason in report["reasons"]],
    ]
    load, replay = report.get("load"), report.get("replay")
    if load and load["source"]:
        rows += [("memory", _memory(load)), ("cold start", _cold_starts(load)), ("soak", _soak(load))]
        rows.append(("measured by", SOURCES[load["source"]]))
    if replay:
        rows.append(("live requests", _replayed(replay)))
    rows += [("note", note) for note in report.get("notes", [])]
    rows.append(("took", _took(report.get("took") or {})))
    lines = labelled(rows, LABEL_WIDTH)
    if load and load["levels"]:
        lines += ["", _levels([*load["levels"], *([load["soak"]] if load["soak"] else [])])]
    if replay and replay["disagreements"]:
        lines += ["", _most_different(replay)]
    return "\n".join(lines)


def _rehearsal(report: dict[str, Any]) -> str:
    return (
        f"{count(report['rows'], 'row')}   p50 {report['p50_ms']:.1f} ms   p99 {report['p99_ms']:.1f} ms"
        f"   {count(report['differences'], 'difference')}"
    )


def _levels(levels: Sequence[dict[str, Any]]) -> str:
    """Return a row for each concurrency: throughput, the function's own times, and those that the caller saw."""
    cells = [
        [
            str(level["concurrency"]), f"{level['rows_per_second']:,.0f}", *_times(level["own_ms"]),
            *_times(level["round_trip_ms"]), str(sum(level["errors"].values()) or "none"),
            str(sum(level["refused"].values()) or "none"), str(level["environments"]),
        ]
        for level in levels
    ]  # fmt: skip
    head = [
        "at once",
        "rows/s",
        "p50 ms",
        "p95",
        "p99",
        "round trip p50",
        "p95",
        "p99",
        "errors",
        "refused",
        "processes",
    ]
    return table(head, cells)


def _times(times: dict[str, float] | None) -> list[str]:
    return [f"{times[name]:.1f}" for name in ("p50", "p95", "p99")] if times else ["", "", ""]


def _memory(load: dict[str, Any]) -> str:
    return f"{load['memory_mb']:,.0f} MB at most"


def _cold_starts(load: dict[str, Any]) -> str:
    starts = load["cold_starts"]
    if not starts:
        return "none seen: all environments were warm"
    first = starts[0]
    slowest = max(start["init_ms"] + start["first_ms"] for start in starts)
    more = f"; {slowest:,.0f} ms the slowest of {len(starts)}, started at once" if len(starts) > 1 else ""
    return f"{first['init_ms']:,.0f} ms to start + {first['first_ms']:,.0f} ms for the first request{more}"


def _soak(load: dict[str, Any]) -> str:
    if not load["soak"]:
        return ""
    growth = load["growth"]
    head = f"{load['soak']['seconds']:,.0f} s, {count(load['soak']['answered'], 'request')}"
    if growth is None:
        return f"{head}: too few to tell whether memory grows"
    grows = "grows with each request" if growth["is_leak"] else "does not grow steadily"
    return f"{head}: memory {grows} ({growth['mb']:+.1f} MB)"


def _replayed(replay: dict[str, Any]) -> str:
    if not replay["rows"]:
        return f"none of {count(replay['requests'], 'captured row')} could be read by both versions"
    low, high = replay["interval"]
    return (
        f"{replay['disagreements']:,} of {count(replay['rows'], 'row')} answered otherwise than by version"
        f" {replay['champion']}: {replay['share']:.1%} ({low:.1%} to {high:.1%})"
    )


def _most_different(replay: dict[str, Any]) -> str:
    shown = [row for row in replay["most_different"] if row["differs"]][:MAX_SHOWN_ROWS]
    cells = [
        [
            row["prediction_id"], _answer(row["champion"], row["champion_scores"]),
            _answer(row["candidate"], row["candidate_scores"]),
            "" if row["distance"] is None else f"{row['distance']:.3g}",
        ]
        for row in shown
    ]  # fmt: skip
    return table(["prediction", f"version {replay['champion']}", "this version", "distance"], cells)


def _answer(prediction: str | float | None, scores: dict[str, float]) -> str:
    if isinstance(prediction, str):
        score = f" {scores[prediction]:.3f}" if prediction in scores else ""
        return f"{clip(prediction, 30)}{score}"
    return "no number" if prediction is None else f"{prediction:.6g}"


def _took(took: dict[str, float]) -> str:
    return "   ".join(f"{part} {took[part]:.1f} s" for part in ("rehearsal", "load", "replay") if part in took)
