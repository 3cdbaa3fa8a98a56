"""What live requests have left in the data bucket: captured answers, and the outcomes that people sent back later.

Both are objects that others write, many small or few large ones, with gzip or without. They are read newest first and
in bounded amounts.
"""

from modelcycle.captured.answer_rows import Cell
from modelcycle.captured.compacted import Window, answers_by_hour, open_window
from modelcycle.captured.lines import json_lines
from modelcycle.captured.objects import (
    GZIP_FAULTS,
    Selection,
    download,
    hourly,
    newest,
    opened,
    select_captures,
    select_newest_captures,
    select_outcomes,
    select_recent_outcomes,
)

__all__ = [
    "GZIP_FAULTS", "Cell", "Selection", "Window", "answers_by_hour", "download", "hourly", "json_lines", "newest",
    "open_window", "opened", "select_captures", "select_newest_captures", "select_outcomes", "select_recent_outcomes",
]  # fmt: skip
