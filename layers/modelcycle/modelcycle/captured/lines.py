"""The lines of captured answers: one JSON object for each answered row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelcycle.sql_literal import literal

MAX_LINE_BYTES = 8 * 2**20  # a longer line is skipped


def json_lines(files: Sequence[Path]) -> str:
    """Return the query for the columns `json` and `filename` of all lines; a line that is not JSON gives null."""
    if not files:
        return "SELECT NULL::JSON AS json, NULL::VARCHAR AS filename WHERE false"
    return f"""SELECT try_cast(line AS JSON) AS json, filename
        FROM read_csv([{", ".join(map(literal, files))}], columns = {{'line': 'VARCHAR'}}, delim = '', quote = '',
          escape = '', header = false, auto_detect = false, filename = true, ignore_errors = true,
          max_line_size = {MAX_LINE_BYTES}, buffer_size = {MAX_LINE_BYTES * 4})"""
