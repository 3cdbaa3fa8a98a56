"""The screen of `score`: how many rows were scored, by which version, how fast, and which were not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cli.screens.lines import count
from modelcycle.messages import FinishedScoring
from modelcycle.personal.decide import DONE

MAX_TOLD = 5


def scored_text(
    finished: FinishedScoring, told: Sequence[dict[str, Any]], seconds: float, path: str,
    treated: Mapping[str, str] | None = None, own: Sequence[str] = (),
) -> str:  # fmt: skip
    """Return the end of a job, for people.

    Parameters
    ----------
    told : rows that were not scored, or with values that do not parse
    seconds : from the upload to the end of the job
    path : of the results on this machine
    treated : id columns of which the stored results have no values, and what they have instead
    own : those of which the local results have the values, taken from the local file
    """
    scored = finished.rows - finished.unread
    speed = f"{scored / seconds:,.0f} rows/s" if seconds else ""
    lines = [
        f"{count(scored, 'row')} scored by {finished.model}:{finished.version} in {seconds:.1f} s   {speed}".rstrip()
    ]
    lost = [f"row {_number(row)}: {row['unread']}" for row in told if not row["scored"]][:MAX_TOLD]
    if finished.unread:
        lines += [f"{count(finished.unread, 'row')} not scored; the first:", *(f"  {line}" for line in lost)]
    cells = [f"row {_number(row)}: {row['unread']}" for row in told if row["scored"]][:MAX_TOLD]
    if finished.unread_cells:
        values = count(finished.unread_cells, "value")
        lines += [f"{values} could not be read, and counted as missing; the first:", *(f"  {line}" for line in cells)]
    lines.append(
        "one version scores the whole file: shares of a rollout do not apply, and nothing is captured for monitoring"
    )
    lines += _of_ids(treated or {}, own)
    lines += [f"  results   {path}", f"  kept      {finished.results.rpartition('/')[0]}/ in the data bucket, 90 days"]
    return "\n".join(lines)


def _of_ids(treated: Mapping[str, str], own: Sequence[str]) -> list[str]:
    """Return what stands in personal id columns, here and in the bucket."""
    lines = []
    for name, treatment in treated.items():
        here = (
            "the values of your file here" if name in own else f"{DONE[treatment]} here too, as your file has changed"
        )
        lines.append(f"{name}: {here}; {DONE[treatment]} in what is kept")
    return lines


def _number(row: dict[str, Any]) -> str:
    return f"{row['row']:,}" if row["row"] is not None else "?"
