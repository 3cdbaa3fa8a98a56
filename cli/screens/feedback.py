"""What became of the outcomes of a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cli.screens.lines import clip, count
from modelcycle.captured.outcomes import MatchedOutcomes

MAX_EXPECTED = 60  # characters
MAX_EXAMPLE = 24  # characters


class Told(NamedTuple):
    """What became of a file.

    Parameters
    ----------
    rows : outcomes that were kept
    skipped : rows of the file without an id or an outcome
    left_out : columns of the file that nobody reads
    captured : captured predictions that were looked at
    newest_only : whether older ones were not
    late : outcomes that came later than `monitoring.labels_days` after their prediction
    pseudonyms : whether ids are kept and captured as pseudonyms
    expected : what an outcome has to be, as a clause
    uncounted : examples of outcomes that are something else
    repeated, changed : predictions of which the same outcome, or another one, was kept before
    """

    rows: int
    skipped: int
    left_out: list[str]
    captured: int
    newest_only: bool
    matched: MatchedOutcomes
    late: int
    labels_days: int | None
    pseudonyms: bool = False
    expected: str = ""
    uncounted: Sequence[str] = ()
    repeated: int = 0
    changed: int = 0


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
        f"not {clip(told.expected, MAX_EXPECTED) or 'what the live version predicts'}, so they do not count": (
            matched.other - matched.ambiguous
        ),
        "such as 1.500, which may mean thousands here, so they do not count; write a decimal comma": matched.ambiguous,
        "of no captured prediction (an unknown id, or one that was not captured, or not yet)": matched.unknown,
        "told again; they count once": matched.twice,
        "told before, the same as now; they count once": told.repeated,
        "told otherwise before; the latest counts": told.changed,
        "predictions with contradictory outcomes, of which the latest counts": matched.contradictory,
        "predictions whose latest outcome is not the last in the file; it counts all the same": matched.out_of_order,
        "of a time before their prediction; they count": matched.early,
        "of a time in the future; they count as of now": matched.ahead,
        f"more than {told.labels_days} days after the prediction (monitoring.labels_days); monitoring does not count"
        " them": told.late,
    }  # fmt: skip
    lines += [f"    {what}: {number:,}" for what, number in counted.items() if number]
    if told.uncounted:
        shown = ", ".join(repr(clip(outcome, MAX_EXAMPLE)) for outcome in told.uncounted)
        lines.append(f"    those that do not count are such as {shown}")
    if told.pseudonyms:
        lines.append("    personal ids are kept as pseudonyms, as in the rows")
    if told.left_out:
        lines.append(f"    not read, and not kept: {', '.join(told.left_out)}")
    return "\n".join(lines)
