"""From which figures on a difference counts, and what it leads to by default.

A good batch is never lost in silence, a bad one never goes live by itself: what is certainly wrong fails the run, what
may be a true change asks a person, what later batches often bring is told.
"""

from __future__ import annotations

from modelcycle.spec import Check, Level

MAX_BROKEN_SHARE = 0.02  # of a column's values that do not parse: more is no slip of a keyboard
MIN_BROKEN_CELLS = 3  # that many are needed beside the share
MAX_UNLIKE_SHARE = 0.5  # of values that do not parse: with more, the column is not what it was
MIN_MISSING_JUMP = 0.03  # of the share of missing values
MIN_STANDARD_ERRORS = 4.0  # by which a share must have risen; below, it may be chance
MAX_NEW_CATEGORY_SHARE = 0.25  # of the values
MAX_RESPELLED_SHARE = 0.02  # of the values, that are a known category in another spelling
RANGE_MARGIN = 0.1  # of the range then, beyond which a value is told
MAX_OUTSIDE_SHARE = 0.1  # of the values, beyond the range and its margin: more is no accident
MIN_FILE_ROWS = 50  # of the smallest file before; smaller ones vary by chance
MIN_FILE_SHARE = 0.6  # of the rows of the smallest file before: below it, rows may be lost
MAX_LOAD_SHARE = 1 / 3  # of the only file before: below it, that one was rather a first load
MIN_SNAPSHOT_SHARE = 0.8  # of the rows that the live version had
MIN_GONE = 1e-6  # chance that a class is absent although nothing has changed
MAX_CLASS_MOVE = 0.2  # of a class's share of the rows, before it is told

DEFAULT: dict[Check, Level] = {
    "columns": "fail", "extra": "warn", "type": "ask", "range": "warn", "unit": "ask", "categories": "warn",
    "classes": "ask", "missing": "ask", "unique": "warn", "keys": "warn", "rows": "ask", "freshness": "warn",
}  # fmt: skip
DECLARED: dict[Check, Level] = {
    "range": "quarantine", "categories": "quarantine", "missing": "fail", "unique": "fail", "keys": "fail",
    "rows": "fail", "freshness": "fail",
}  # fmt: skip
"""Of a rule that the pipeline file gives itself."""
GRAVEST: tuple[Level, ...] = ("fail", "ask", "quarantine", "warn")
