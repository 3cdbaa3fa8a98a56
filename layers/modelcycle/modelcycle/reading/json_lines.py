"""JSON lines: an object a line. A key that a line lacks has no value; what lies deeper stays JSON text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcycle.engine import literal
from modelcycle.faults import BadData, NoData
from modelcycle.reading import column_names, piece, plain_text, unclosed
from modelcycle.reading.piece import Piece

REASON = "the line is not a JSON object"
NO_OBJECTS = (
    "are no JSON objects",
    "write one {column: value} a line; a list is not read (pandas: to_json(..., orient='records', lines=True))",
)


def read(engine: Any, source: Path, packed: bool, where: str, target: Path) -> Piece:
    """The rows of a file of JSON lines as a piece at `target`; other lines go into the table `broken`."""
    text = target.with_suffix(".jsonl")
    if not plain_text.unpack(source, text, packed, where):
        raise NoData("the file is empty", where, "upload a file with rows")
    source.unlink()
    # read as CSV without delimiter and quote, so that every line is one value and keeps its number
    engine.execute(
        f"""CREATE OR REPLACE TEMP VIEW lines AS
            SELECT number, text, CASE WHEN json_type(json) = 'OBJECT' THEN json END AS json
            FROM (SELECT row_number() OVER () AS number, text, try_cast(text AS JSON) AS json
                  FROM read_csv({literal(text)}, columns = {{'text': 'VARCHAR'}}, delim = '', quote = '', escape = '',
                    header = false, new_line = '\\n', auto_detect = false, max_line_size = {unclosed.LONGEST_LINE},
                    buffer_size = {unclosed.LONGEST_LINE * 4}))
            WHERE trim(text) <> ''"""
    )
    broken = engine.execute(
        f"""INSERT INTO broken SELECT $1, number, left(text, {piece.LONGEST_TEXT}), $2
            FROM lines WHERE json IS NULL""",
        [where, REASON],
    ).fetchone()[0]
    first = piece.first_broken(engine, where)
    keys = engine.execute(
        f"""SELECT key FROM (SELECT unnest(keys) AS key, number, generate_subscripts(keys, 1) AS place
                             FROM (SELECT number, json_keys(json) AS keys FROM lines WHERE json IS NOT NULL))
            GROUP BY key ORDER BY min(number * 1000000 + place) LIMIT {10 * column_names.MAX_COLUMNS}"""
    ).fetchall()
    if not keys:
        piece.held_together(0, broken, first, where, *NO_OBJECTS)
        raise BadData("the file's objects have no keys", where, "write each row as an object {column: value}")
    names = column_names.checked([key for (key,) in keys], where)
    pointers = ", ".join(literal("/" + key.replace("~", "~0").replace("/", "~1")) for (key,) in keys)
    columns = ", ".join(f"values[{place + 1}] AS c{place}" for place in range(len(names)))
    rows = piece.write(
        engine, target,
        f"""SELECT {columns} FROM (SELECT json_extract_string(json, [{pointers}]) AS values
            FROM lines WHERE json IS NOT NULL)""",
        len(names),
    )  # fmt: skip
    piece.held_together(rows, broken, first, where, *NO_OBJECTS)
    text.unlink()
    return Piece(target, names, rows, broken, sparse=True)
