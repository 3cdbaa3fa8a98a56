"""Reads JSON: lines of one object each, or one list of objects.

A key that an object does not have is a missing value. `json_keys` says how objects in objects become columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelcycle.faults import BadData, NoData, UnreadableFile
from modelcycle.reading import column_names
from modelcycle.reading.body import copy_body
from modelcycle.reading.broken_lines import (
    MAX_LINE_BYTES,
    MAX_LINE_CHARACTERS,
    TOO_LONG,
    add_broken_lines,
    check_broken_share,
    first_broken_line,
)
from modelcycle.reading.json_keys import columns_of
from modelcycle.reading.line_numbers import LineNumbers
from modelcycle.reading.plain_text import PlainText
from modelcycle.reading.text_table import TextTable, line_numbers, write_text_table
from modelcycle.sql_literal import literal

NOT_AN_OBJECT = "the line is not a JSON object"
FAULT = "are not JSON objects"
REMEDY = "write one {column: value} per line, not a list (pandas: to_json(..., orient='records', lines=True))"
LIST_REMEDY = (
    "write one list of objects [{column: value}, ...] (pandas: to_json(..., orient='records')), or one object per line"
)


def read_json_lines(engine: Any, text: PlainText, target: Path, whole: Sequence[str] = ()) -> TextTable:
    """Read a file of JSON lines. See `reader.read_file`."""
    path = target.with_suffix(".jsonl")
    body = copy_body(text.lines(), path)
    if not body.filled and not body.long:
        raise NoData("the file is empty", text.where, "upload a file with rows")
    text.source.unlink()
    # read as CSV without delimiter and quote, so that a line is one value and keeps its number
    engine.execute(
        f"""CREATE OR REPLACE TEMP VIEW lines AS
            SELECT line, text, CASE WHEN json_type(json) = 'OBJECT' THEN json END AS object
            FROM (SELECT row_number() OVER () AS line, text, try_cast(text AS JSON) AS json
                  FROM read_csv({literal(path)}, columns = {{'text': 'VARCHAR'}}, delim = '', quote = '', escape = '',
                    header = false, new_line = '\\n', auto_detect = false, max_line_size = {MAX_LINE_BYTES},
                    buffer_size = {MAX_LINE_BYTES * 4}))"""
    )
    broken: int = engine.execute(
        f"""INSERT INTO broken_lines SELECT $1, line, left(text, {MAX_LINE_CHARACTERS}), $2
            FROM lines WHERE object IS NULL AND trim(text) <> ''""",
        [text.where, NOT_AN_OBJECT],
    ).fetchone()[0]
    add_broken_lines(engine, text.where, body.long, TOO_LONG)
    table = _write(engine, text, target, broken + len(body.long), whole, REMEDY)
    numbers = line_numbers(engine, "SELECT line AS record, 1 AS lost, 0 AS extra FROM lines WHERE object IS NULL", 0)
    path.unlink()
    return TextTable(target, table.names, table.rows, table.broken, sparse=True, numbers=numbers, notes=table.notes)


def read_json(engine: Any, text: PlainText, target: Path, whole: Sequence[str] = ()) -> TextTable:
    """Read a file with one list of objects, or else JSON lines. See `reader.read_file`.

    Raises
    ------
    UnreadableFile : the file is one object, or no JSON
    """
    import duckdb

    beginning = next((chunk for chunk in text.lines() if chunk.strip()), b"").strip()
    if not beginning:
        raise NoData("the file is empty", text.where, "upload a file with rows")
    if beginning[:1] != b"[":
        if _is_one_object(beginning):
            raise UnreadableFile("the file is one JSON object, not a list of rows", text.where, LIST_REMEDY)
        return read_json_lines(engine, text, target, whole)
    path = target.with_suffix(".list.json")
    with path.open("wb") as copy:
        for chunk in text.lines():
            copy.write(chunk)
    text.source.unlink()
    try:
        engine.execute(
            f"""CREATE OR REPLACE TEMP TABLE objects AS
                SELECT row_number() OVER () AS line, json AS object
                FROM read_json_objects({literal(path)}, format = 'array', maximum_object_size = {MAX_LINE_BYTES})"""
        )
    except duckdb.InvalidInputException as error:
        is_large = "maximum_object_size" in str(error)
        reason = f"holds an object of more than {MAX_LINE_BYTES >> 20} MiB" if is_large else "is broken or cut short"
        raise UnreadableFile(f"the JSON list {reason}", text.where, LIST_REMEDY) from None
    path.unlink()
    engine.execute("CREATE OR REPLACE TEMP VIEW lines AS SELECT * FROM objects")
    others = engine.execute("SELECT min(line) FROM lines WHERE json_type(object) <> 'OBJECT'").fetchone()[0]
    if others is not None:
        raise UnreadableFile(
            f"item {others:,} of the JSON list is not an object", text.where, "write each row as {column: value}"
        )
    table = _write(engine, text, target, 0, whole, LIST_REMEDY)
    engine.execute("DROP VIEW lines; DROP TABLE objects")
    return table


def _is_one_object(beginning: bytes) -> bool:
    """Return whether a text that begins with { is not JSON lines: its first line is no object, or it is alone."""
    import json

    line, _, rest = beginning.partition(b"\n")
    try:
        value = json.loads(line)
    except ValueError:
        return beginning[:1] == b"{" and not rest.lstrip().startswith(b"{")
    return isinstance(value, dict) and not rest.strip() and any(isinstance(v, dict | list) for v in value.values())


def _write(
    engine: Any, text: PlainText, target: Path, broken: int, whole: Sequence[str], remedy: str
) -> TextTable:  # fmt: skip
    """Write the objects of the view `lines`."""
    where = text.where
    keys, maps = columns_of(engine, whole)
    first = first_broken_line(engine, where)
    if not keys:
        check_broken_share(0, broken, first, where, FAULT, remedy)
        raise BadData("the file's objects have no keys", where, "write each row as an object {column: value}")
    names, notes = column_names.clean_names([key.name for key in keys], where)
    pointers = ", ".join(literal(key.pointer) for key in keys)
    columns = ", ".join(f"texts[{number + 1}] AS c{number}" for number in range(len(names)))
    rows = write_text_table(
        engine, target,
        f"""SELECT {columns} FROM (SELECT json_extract_string(object, [{pointers}]) AS texts
            FROM lines WHERE object IS NOT NULL)""",
        len(names),
    )  # fmt: skip
    check_broken_share(rows, broken, first, where, FAULT, remedy)
    notes += [f"{name} has too many keys for columns, and is read as one text" for name in maps]
    return TextTable(target, names, rows, broken, sparse=True, numbers=LineNumbers(), notes=(*text.notes(), *notes))
