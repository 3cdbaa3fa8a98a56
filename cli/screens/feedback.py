"""What became of the outcomes of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.screens.lines import count

if TYPE_CHECKING:
    from cli.feedback import Told


def feedback_text(model: str, told: Told) -> str:
    """Return how many outcomes belong to predictions, and what is odd about the others."""
    matched = told.matched
    newest = "newest " if told.newest_only else ""
    lines = [
        f"{count(told.rows, 'outcome')} of {model} kept.",
        f"    {matched.known:,} of the {told.captured:,} {newest}captured predictions have one",
    ]
    counted = {
        "rows without an id or an outcome, which were skipped": told.skipped,
        "not what the live version predicts, so they do not count": matched.other,
        "of no captured prediction (an unknown id, or one that was not captured, or not yet)": matched.unknown,
        "told again; they count once": matched.twice,
        "predictions with contradictory outcomes, of which the latest counts": matched.contradictory,
        "predictions whose latest outcome is not the last in the file; it counts all the same": matched.out_of_order,
        "of a time before their prediction; they count": matched.early,
        "of a time in the future; they count as of now": matched.ahead,
        f"more than {told.labels_days} days after the prediction (monitoring.labels_days); monitoring does not count"
        " them": told.late,
    }  # fmt: skip
    lines += [f"    {what}: {number:,}" for what, number in counted.items() if number]
    if told.pseudonyms:
        lines.append("    personal ids are kept as pseudonyms, as in the rows")
    if told.left_out:
        lines.append(f"    not read, and not kept: {', '.join(told.left_out)}")
    return "\n".join(lines)
