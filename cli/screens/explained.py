"""The screen of `explain`: which version gave an answer, what moved it, and what would alter it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cli.screens.lines import clip, figure, labelled

MAX_SHOWN_COLUMNS = 5
MAX_VALUE_CHARACTERS = 40


def explained_text(told: dict[str, Any]) -> str:
    """Return the explanation of one prediction as one screen; `told` as `explain --json` prints it."""
    rows = [
        ("answer", f"{_value(told['prediction'])}   at {_moment(told['at'])}"),
        ("given by", f"{told['model']}:{told['version']}   {told['state'].replace('_', ' ')}"),
        ("model", f"SHA-256 {told['model_sha256'][:16]}"),
        ("inputs", f"SHA-256 {told['inputs_sha256'][:16]}"),
    ]
    lines = [f"Prediction {told['prediction_id']}", "", *labelled(rows, 12), "", *_reasons(told["explanation"])]
    lines += _nearest(told["nearest"])
    if told["notes"]:
        lines += [*(f"    note: {note}" for note in told["notes"]), ""]
    if told["review"]:
        lines += ["A human should look at this prediction:", ""]
        lines += [f"    {reason}" for reason in told["review"]]
    return "\n".join(lines).rstrip()


def _reasons(explanation: dict[str, Any] | None) -> list[str]:
    if explanation is None:
        return []
    what = f"probability of {explanation['of']}" if explanation["of"] is not None else "value"
    score, reference = figure(explanation["score"]), figure(explanation["reference"])
    moved = [(name, size) for name, size in explanation["columns"].items() if size][:MAX_SHOWN_COLUMNS]
    head = f"What moved it: {what} {score}; the row of medians and most frequent texts has {reference}"
    width = max((len(name) for name, _ in moved), default=0)
    return [head, "", *(f"    {name:<{width}}   {'+' if size > 0 else ''}{figure(size)}" for name, size in moved), ""]


def _nearest(nearest: dict[str, Any]) -> list[str]:
    if nearest["changes"] is None:
        return []
    lines = [f"The nearest change that was found: the answer becomes {_value(nearest['becomes'])}, if", ""]
    for name, change in nearest["changes"].items():
        lines.append(f"    {name}: {_value(change['from'])} -> {_value(change['to'])}")
    return [*lines, ""]


def _moment(at: str) -> str:
    """Return a captured time as people read it; as it is, if it is none.

    >>> _moment("2026-11-29T20:49:53.279256+00:00"), _moment("soon")
    ('2026-11-29 20:49:53 UTC', 'soon')
    """
    try:
        return f"{datetime.fromisoformat(at).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return at


def _value(value: Any) -> str:
    if value is None:
        return "(missing)"
    return f"{value:,.6g}" if isinstance(value, float) else clip(str(value), MAX_VALUE_CHARACTERS)
