"""What a person has corrected of the rows that were kept back, see `modelcycle quarantine --replay`.

A correction names the content of the file (SHA-256), and a cell or a broken line in it. So it stays true for exactly
these bytes: once the file is uploaded in a correct form, its old corrections are left alone. The upload itself is never
changed; the manifest lists the corrections that were applied, with the version of their object.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from modelcycle.engine import row_group_rows
from modelcycle.faults import BadData
from modelcycle.reading import TextTable
from modelcycle.sql_literal import literal
from modelcycle.store import Listed, Store

PREFIX = "_corrections-"
MAX_CORRECTION_BYTES = 20 * 2**20  # of one object


class Correction(BaseModel):
    """A corrected cell, or a corrected broken line.

    Parameters
    ----------
    content : SHA-256 of the file
    at : number of the row, or of the line
    column, text : of a cell; the text None makes it missing
    fields, values : of a line: its texts in the order of the file's columns, or by column
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    content: str
    scope: Literal["cell", "line"]
    at: int
    column: str | None = None
    text: str | None = None
    fields: list[str | None] | None = None
    values: dict[str, str | None] | None = None


def is_corrections(key: str) -> bool:
    """Return whether an object under raw/{model}/ holds corrections."""
    return Path(key).name.startswith(PREFIX) and key.endswith(".jsonl")


def read_corrections(
    data: Store, listing: Sequence[Listed], folder: Path
) -> tuple[list[Correction], list[dict[str, Any]]]:
    """Return all corrections, the latest last, and the objects for the manifest.

    Raises
    ------
    BadData : an object is not a list of corrections, or is too large
    """
    corrections: list[Correction] = []
    entries: list[dict[str, Any]] = []
    for number, listed in enumerate(sorted(listing, key=lambda listed: listed.key)):
        path = folder / f"{number}.corrections"
        if listed.bytes > MAX_CORRECTION_BYTES:
            raise BadData(
                f"the corrections have {listed.bytes >> 20} MiB; the limit is {MAX_CORRECTION_BYTES >> 20}", listed.key,
                "correct the source instead, and upload it again",
            )  # fmt: skip
        version = data.download(listed, path)
        body = path.read_bytes()
        path.unlink()
        for line_number, line in enumerate(body.splitlines(), start=1):
            try:
                corrections.append(Correction.model_validate_json(line))
            except ValidationError:
                raise BadData(
                    "the line is not a correction", f"{listed.key}, line {line_number}",
                    "remove the object; `modelcycle quarantine MODEL --replay` writes a new one",
                ) from None  # fmt: skip
        entries.append({
            "key": listed.key, "version": version, "etag": listed.etag, "sha256": hashlib.sha256(body).hexdigest(),
            "bytes": listed.bytes,
        })  # fmt: skip
    return corrections, entries


def apply_corrections(
    engine: Any, table: TextTable, key: str, content: str, corrections: Sequence[Correction]
) -> tuple[TextTable, int, str]:
    """Return the table with its corrected cells and lines, their number, and the content that it has now.

    A corrected line becomes a row after all rows of the file, in the order of the lines, and is no longer broken.

    Parameters
    ----------
    key : of the file, by which its broken lines are known
    content : SHA-256 of the file

    Raises
    ------
    BadData : a correction does not fit the columns of the file
    """
    own = [correction for correction in corrections if correction.content == content]
    cells = {(correction.at, correction.column): correction.text for correction in own if correction.scope == "cell"}
    broken = {
        line for (line,) in engine.execute("SELECT DISTINCT line FROM broken_lines WHERE file = $1", [key]).fetchall()
    }
    lines = {
        correction.at: _texts(correction, table, key)
        for correction in own
        if correction.scope == "line" and correction.at in broken
    }
    unknown = {column for _, column in cells} - {*table.names}
    if unknown:
        raise BadData(
            f"a correction names the column {sorted(map(str, unknown))[0]!r}, which the file does not have", key,
            "write the corrections anew: modelcycle quarantine MODEL --csv",
        )  # fmt: skip
    cells = {place: text for place, text in cells.items() if 1 <= place[0] <= table.rows}
    if not cells and not lines:
        return table, 0, content
    path = _write(engine, table, cells, lines)
    if lines:
        engine.execute(
            f"DELETE FROM broken_lines WHERE file = $1 AND line IN ({', '.join(str(line) for line in lines)})", [key]
        )
    applied = [
        *sorted([row, column, text] for (row, column), text in cells.items() if column is not None),
        *([line, texts] for line, texts in sorted(lines.items())),
    ]
    digest = corrected_content(content, applied)
    corrected = dataclasses.replace(
        table, path=path, rows=table.rows + len(lines), broken=max(table.broken - len(lines), 0)
    )
    return corrected, len(cells) + len(lines), digest


def corrected_content(content: str, applied: Sequence[Any]) -> str:
    """Return the content of a file with these corrections."""
    return hashlib.sha256(json.dumps([content, applied], ensure_ascii=False).encode()).hexdigest()


def corrected_sql(engine: Any, table: TextTable, cells: Sequence[tuple[int, int, int, str | None]]) -> str:
    """Return SQL for the rows of a table (file, row, c0, c1 ...), in any order, with other cells.

    Parameters
    ----------
    cells : file, row, number of the column, and text; none or an empty text makes the cell missing
    """
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE corrected_cells (file INTEGER, row BIGINT, number INTEGER, text VARCHAR)"
    )
    if cells:
        engine.executemany("INSERT INTO corrected_cells VALUES ($1, $2, $3, nullif($4, ''))", list(cells))
    changed = sorted({number for _, _, number, _ in cells})
    columns = ", ".join(
        f"CASE WHEN k{n}.row IS NOT NULL THEN k{n}.text ELSE source.c{n} END AS c{n}"
        if n in changed
        else f"source.c{n}"
        for n in range(len(table.names))
    )
    joined = " ".join(
        f"LEFT JOIN (SELECT * FROM corrected_cells WHERE number = {n}) k{n}"
        f" ON k{n}.row = source.row AND k{n}.file = source.file"
        for n in changed
    )
    return f"SELECT source.file, source.row, {columns} FROM read_parquet({literal(table.path)}) source {joined}"


def _texts(correction: Correction, table: TextTable, key: str) -> list[str | None]:
    """Return the texts of a corrected line in the order of the file's columns."""
    if correction.values is not None and not set(correction.values) - set(table.names):
        return [correction.values.get(name) for name in table.names]
    if correction.fields is not None and len(correction.fields) == len(table.names):
        return list(correction.fields)
    given = len(correction.fields or correction.values or [])
    raise BadData(
        f"the corrected line has {given:,} values; the file has {len(table.names):,} columns",
        f"{key}, line {correction.at}", "correct it: modelcycle quarantine MODEL --csv writes the lines again",
    )  # fmt: skip


def _write(
    engine: Any, table: TextTable, cells: dict[tuple[int, str | None], str | None],
    lines: dict[int, list[str | None]],
) -> Path:  # fmt: skip
    """Write the rows anew, in their order, with other cells and more rows."""
    file, number_of = int(table.path.stem), {name: number for number, name in enumerate(table.names)}
    query = corrected_sql(
        engine, table, [(file, row, number_of[str(column)], text) for (row, column), text in cells.items()]
    )
    for extra, (_, texts) in enumerate(sorted(lines.items()), start=1):
        values = ", ".join("NULL::VARCHAR" if not text else f"{literal(text)}::VARCHAR" for text in texts)
        query += f" UNION ALL SELECT {file}, {table.rows + extra}, {values}"
    path = table.path.with_name(f"{table.path.stem}.corrected")
    engine.execute(
        f"COPY (SELECT * FROM ({query}) ORDER BY row) TO {literal(path)}"
        f" (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group_rows(len(table.names))})"
    )
    path.replace(table.path)
    return table.path
