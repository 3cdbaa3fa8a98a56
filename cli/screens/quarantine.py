"""What was kept back of a run's rows, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cli.screens.lines import clip, count, more, table

MAX_SHOWN = 20  # rows of the table


def quarantine_text(model: str, run_id: str, kept: Sequence[Any], totals: Mapping[str, int]) -> str:
    """Return the account of the rows, the reasons with their numbers, and the first rows of the table.

    Parameters
    ----------
    kept : scope, file, row, column, reason, text of each
    """
    head = f"{model}  run {run_id}"
    came = (
        f"    {totals['rows_in']:,} rows and lines came in: {totals['kept']:,} kept,"
        f" {totals['quarantined_lines'] + totals['quarantined_rows']:,} quarantined, {totals['dropped']:,} duplicates"
        f" dropped; {count(totals['quarantined_cells'], 'cell')} of the kept rows quarantined"
    )
    if not kept:
        return f"{head}\n\n{came}\n    Nothing was kept back."
    reasons = Counter((item.scope, item.column, item.reason) for item in kept)
    summary = table(
        ["what", "column", "reason", "how many"],
        [
            [scope, clip(column, 30), clip(reason, 60), f"{number:,}"]
            for (scope, column, reason), number in reasons.most_common(MAX_SHOWN)
        ],
    )
    rows = table(
        ["what", "file", "row", "column", "text"],
        [
            [item.scope, clip(item.file.split("/", 2)[-1], 30), f"{item.row:,}", clip(item.column, 30),
             clip(" ".join(item.text.split()), 50)]
            for item in kept[:MAX_SHOWN]
        ],
    )  # fmt: skip
    todo = [
        f"    correct     modelcycle quarantine {model} --csv --file FILE, then --replay --file FILE",
        f"    or replace  upload the corrected file under its name; modelcycle contract {model} shows how it is read",
    ]
    return "\n".join([head, "", came, "", summary, "", rows, *more(len(kept) - MAX_SHOWN), "", *todo])
