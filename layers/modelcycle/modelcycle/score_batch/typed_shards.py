"""Shards of rows: typed values for the graph, and an index with what identifies a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelcycle.cells.missing import stripped_sql
from modelcycle.cells.reading import ColumnType, missing_texts_of, parsed_sql
from modelcycle.model.columns import Columns, Values, missing_mask
from modelcycle.model.fields import Field
from modelcycle.model.signature import Signature
from modelcycle.model.typed_sql import fetch_values
from modelcycle.score_batch.numbered_rows import NumberedRows
from modelcycle.score_batch.result_ids import ResultIds
from modelcycle.sql_literal import literal

MAX_SHARD_ROWS = 2 * 122_880  # two row groups of the text table: a shard that begins within one would read it twice
MAX_SHARD_CELLS = 4_000_000  # at most 32 MB
MAX_SHARD_TEXT_BYTES = 48 * 2**20  # of the texts that are in memory, before compression
MAX_NAMED_CELLS = 3  # of one row that do not parse
MAX_QUOTED_CHARACTERS = 40  # of such a cell, and of the column's name


@dataclass(frozen=True)
class Shard:
    """Rows `first` to `first + rows - 1` of the file, without its broken lines.

    Parameters
    ----------
    columns : as the version reads them
    index : Parquet file with `number`, the id columns i0, i1 ... as results hold them, and `unread`: the row's cells
        that do not parse
    unread_cells : how many of those there are
    """

    number: int
    first: int
    rows: int
    columns: Columns
    index: Path
    unread_cells: int


def shards(source: NumberedRows, signature: Signature, ids: ResultIds, folder: Path) -> Iterator[Shard]:
    """Yield the shards of a file one by one; equal files give equal shards.

    Parameters
    ----------
    ids : columns that identify a row
    folder : for the index of each shard; the caller deletes it
    """
    missing = signature.missing_values
    # `_text_sql` leaves nothing of the missing values for `parsed_sql` to find: a second search would double the time
    typed: dict[str, tuple[str, ColumnType]] = {
        field.name: (
            parsed_sql(field.model_copy(update={"missing_values": []}), _text_sql(source, field, missing)),
            field.type,
        )
        for field in signature.fields
    }
    size = shard_rows(source, signature, ids.names)
    for number, first in enumerate(range(1, source.table.rows + 1, size)):
        last = min(first + size - 1, source.table.rows)
        rows = last - first + 1
        part = f"numbered WHERE row BETWEEN {first} AND {last}"
        values = fetch_values(source.engine, typed, part, rows)
        unread = _unread_cells(source, signature, typed, values, part)
        index = _write_index(source, signature, typed, ids, unread, part, folder / f"index-{number:05d}.parquet")
        yield Shard(number, first, rows, Columns(values), index, sum(unread.values()))


def shard_rows(source: NumberedRows, signature: Signature, ids: Sequence[str]) -> int:
    """Return how many rows a shard has, so that it and its scores fit into little memory whatever its columns hold."""
    names = source.table.names
    columns_in = [*(field.name for field in signature.fields), *ids]
    used = {names.index(name) for name in columns_in if name in names}
    columns = ", ".join(literal(f"c{number}") for number in sorted(used))
    # the file's own account of its texts, each distinct text of a row group once: as they will be in memory
    text_bytes = 0
    if used:
        (text_bytes,) = source.engine.execute(
            f"""SELECT coalesce(sum(total_uncompressed_size), 0) FROM parquet_metadata({literal(source.table.path)})
                WHERE path_in_schema IN ({columns})"""
        ).fetchone()
    by_text = MAX_SHARD_TEXT_BYTES * source.table.rows // max(int(text_bytes), 1)
    cells = max(len(columns_in), len(signature.classes), 1)  # of a row, read or written
    return max(1, min(MAX_SHARD_ROWS, MAX_SHARD_CELLS // cells, by_text))


def _text_sql(source: NumberedRows, field: Field, missing: Sequence[str]) -> str:
    return stripped_sql(source.column(field.name), missing_texts_of(field, missing))


def _told_sql(source: NumberedRows, field: Field, missing: Sequence[str]) -> str:
    """Return SQL of a text that is not one of those by which training knew a missing value."""
    return stripped_sql(source.column(field.name), [*field.missing_values, *missing])


def _unread_sql(source: NumberedRows, field: Field, parsed: str, missing: Sequence[str]) -> str:
    """Return SQL of whether a cell does not parse."""
    return f"CASE WHEN ({parsed}) IS NULL THEN ({_told_sql(source, field, missing)}) IS NOT NULL ELSE false END"


def _unread_cells(
    source: NumberedRows,
    signature: Signature,
    typed: dict[str, tuple[str, ColumnType]],
    values: dict[str, Values],
    part: str,
) -> dict[str, int]:
    """Return how many cells of each column do not parse; columns without such cells are absent."""
    suspects = [
        field
        for field in signature.fields
        if field.type != "text" and field.name in source.table.names and bool(missing_mask(values[field.name]).any())
    ]
    if not suspects:
        return {}
    counts = ", ".join(
        f"count(*) FILTER ({_unread_sql(source, field, typed[field.name][0], signature.missing_values)})"
        for field in suspects
    )
    found = source.engine.execute(f"SELECT {counts} FROM {part}").fetchone()
    return {field.name: count for field, count in zip(suspects, found, strict=True) if count}


def _write_index(
    source: NumberedRows,
    signature: Signature,
    typed: dict[str, tuple[str, ColumnType]],
    ids: ResultIds,
    unread: dict[str, int],
    part: str,
    path: Path,
) -> Path:
    selected = [
        "number",
        *(f"{ids.sql(name, source.column(name))} AS i{number}" for number, name in enumerate(ids.names)),
    ]
    sentences = [
        f"CASE WHEN {_unread_sql(source, field, typed[field.name][0], signature.missing_values)}"
        f" THEN {literal(_clip(field.name) + ': ')} || '''' ||"
        f" left(trim({source.column(field.name)}), {MAX_QUOTED_CHARACTERS}) || ''''"
        f" || {literal(f' where {expected(field)} is expected')} END"
        for field in signature.fields
        if field.name in unread
    ]
    if sentences:
        cells = f"list_filter([{', '.join(sentences)}], lambda cell: cell IS NOT NULL)"
        named = f"array_to_string({cells}[:{MAX_NAMED_CELLS}], '; ')"
        more = f"' and ' || (len({cells}) - {MAX_NAMED_CELLS}) || ' more'"
        selected.append(
            f"nullif({named}, '') || CASE WHEN len({cells}) > {MAX_NAMED_CELLS} THEN {more} ELSE '' END AS unread"
        )
    else:
        selected.append("NULL::VARCHAR AS unread")
    source.engine.execute(
        f"COPY (SELECT {', '.join(selected)} FROM {part}) TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"
    )
    return path


def expected(field: Field) -> str:
    """Return what the text of a column should be, for people.

    >>> expected(Field(name="age", type="number")), expected(Field(name="m", type="boolean", true=["y"], false=["n"]))
    ('a number', 'y or n')
    """
    if field.type == "datetime":
        return f"a date like {field.example}"
    if field.type == "boolean":
        return " or ".join([*field.true[:1], *field.false[:1]]) or "true or false"
    return f"a number like {field.format}" if field.format else "a number"


def _clip(name: str) -> str:
    return name if len(name) <= MAX_QUOTED_CHARACTERS else f"{name[: MAX_QUOTED_CHARACTERS - 3]}..."
