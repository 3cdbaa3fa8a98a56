"""Reads JSON lines: one object per line.

A key that a line does not have is a missing value; nested values stay JSON text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcycle.faults import BadData, NoData
from modelcycle.json_pointer import json_pointer
from modelcycle.reading import column_names
from modelcycle.reading.broken_lines import MAX_LINE_CHARACTERS, check_broken_share, first_broken_line
from modelcycle.reading.plain_text import MAX_LINE_BYTES, copy_plain_text
from modelcycle.reading.text_table import TextTable, write_text_table
from modelcycle.sql_literal import literal

NOT_AN_OBJECT = "the line is not a JSON object"
REMEDY = "write one {column: value} per line, not a list (pandas: to_json(..., orient='records', lines=True))"


def read_json_lines(engine: Any, source: Path, gzipped: bool, where: str, target: Path) -> TextTable:
    """Read a file of JSON lines. See `reader.read_file`."""
    text = target.with_suffix(".jsonl")
    if not copy_plain_text(source, text, gzipped, where):
        raise NoData("the file is empty", where, "upload a file with rows")
    source.unlink()
    # read as CSV without delimiter and quote, so that a line is one value and keeps its number
    engine.execute(
        f"""CREATE OR REPLACE TEMP VIEW lines AS
            SELECT line, text, CASE WHEN json_type(json) = 'OBJECT' THEN json END AS object
            FROM (SELECT row_number() OVER () AS line, text, try_cast(text AS JSON) AS json
                  FROM read_csv({literal(text)}, columns = {{'text': 'VARCHAR'}}, delim = '', quote = '', escape = '',
                    header = false, new_line = '\\n', auto_detect = false, max_line_size = {MAX_LINE_BYTES},
                    buffer_size = {MAX_LINE_BYTES * 4}))
            WHERE trim(text) <> ''"""
    )
    broken: int = engine.execute(
        f"""INSERT INTO broken_lines SELECT $1, line, left(text, {MAX_LINE_CHARACTERS}), $2
            FROM lines WHERE object IS NULL""",
        [where, NOT_AN_OBJECT],
    ).fetchone()[0]
    first = first_broken_line(engine, where)
    keys = _keys(engine)
    if not keys:
        check_broken_share(0, broken, first, where, "are not JSON objects", REMEDY)
        raise BadData("the file's objects have no keys", where, "write each row as an object {column: value}")
    names = column_names.clean_names(keys, where)
    pointers = ", ".join(literal(json_pointer(key)) for key in keys)
    columns = ", ".join(f"texts[{number + 1}] AS c{number}" for number in range(len(names)))
    rows = write_text_table(
        engine, target,
        f"""SELECT {columns} FROM (SELECT json_extract_string(object, [{pointers}]) AS texts
            FROM lines WHERE object IS NOT NULL)""",
        len(names),
    )  # fmt: skip
    check_broken_share(rows, broken, first, where, "are not JSON objects", REMEDY)
    text.unlink()
    return TextTable(target, names, rows, broken, sparse=True)


def _keys(engine: Any) -> list[str]:
    """Return the keys of all objects, in the order of their first occurrence."""
    keys = engine.execute(
        f"""SELECT key FROM (SELECT unnest(keys) AS key, line, generate_subscripts(keys, 1) AS number
                             FROM (SELECT line, json_keys(object) AS keys FROM lines WHERE object IS NOT NULL))
            GROUP BY key ORDER BY min(line * 1000000 + number) LIMIT {10 * column_names.MAX_COLUMNS}"""
    ).fetchall()
    return [key for (key,) in keys]
