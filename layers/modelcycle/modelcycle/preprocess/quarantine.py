"""The quarantine: values because of which rows are not kept, and values that count as missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcycle.cells.column import Column
from modelcycle.sql_literal import literal

MAX_TEXT_CHARACTERS = 2000  # stored of a value
MAX_NAME_CHARACTERS = 60  # of a column in a reason
MAX_REASONS = 20  # of unread cells, in the message


def write_quarantine(engine: Any, columns: dict[int, Column], sources: list[str], folder: Path) -> Path:
    """Write `invalid_values` and `unread_cells` as Parquet: scope (row or cell), file, row, column, reason, text.

    Parameters
    ----------
    columns : by number
    sources : keys of the source files, by number
    folder : for the file
    """
    path = folder / "quarantine.parquet"
    engine.execute(
        "CREATE TABLE sources AS SELECT unnest($1::VARCHAR[]) AS name, unnest(range($2)) AS number",
        [sources, len(sources)],
    )
    engine.execute(
        "CREATE TABLE column_names AS SELECT unnest($1::VARCHAR[]) AS name, unnest($2::INTEGER[]) AS number",
        [[column.name for column in columns.values()], list(columns)],
    )
    text = " ".join(f"WHEN {number} THEN c{number}" for number in columns)
    engine.execute(
        f"""COPY (SELECT scope, sources.name AS file, clean_rows.row, column_names.name AS column, kept_back.reason,
                    left(coalesce(held_cells.text, CASE kept_back.number {text} END), {MAX_TEXT_CHARACTERS}) AS text
                  FROM (SELECT *, 'row' AS scope FROM invalid_values
                        UNION ALL SELECT *, 'cell' FROM unread_cells) kept_back
                  JOIN clean_rows ON clean_rows.row_id = kept_back.row_id
                  JOIN sources ON sources.number = clean_rows.file
                  JOIN column_names ON column_names.number = kept_back.number
                  LEFT JOIN held_cells ON held_cells.row_id = kept_back.row_id
                    AND held_cells.number = kept_back.number
                  ORDER BY kept_back.row_id, kept_back.number)
            TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"""
    )
    return path


def quarantine_reasons(engine: Any, columns: dict[int, Column]) -> dict[str, int]:
    """Return the quarantined rows by reason, the most frequent first; a row with several reasons counts for each.

    Parameters
    ----------
    columns : by number
    """
    return _counted(engine, columns, "invalid_values")


def cell_reasons(engine: Any, columns: dict[int, Column]) -> dict[str, int]:
    """Return the unread cells by reason, the most frequent first, at most MAX_REASONS."""
    return dict(list(_counted(engine, columns, "unread_cells").items())[:MAX_REASONS])


def unread_by_column(engine: Any, columns: dict[int, Column]) -> dict[str, int]:
    """Return the unread cells of each column that has any, by its name."""
    counts = engine.execute("SELECT number, count(*) FROM unread_cells GROUP BY number ORDER BY number").fetchall()
    return {columns[number].name: cells for number, cells in counts}


def _counted(engine: Any, columns: dict[int, Column], table: str) -> dict[str, int]:
    counted = engine.execute(
        f"SELECT number, reason, count(*) FROM {table} GROUP BY ALL ORDER BY count(*) DESC, number, reason"
    ).fetchall()
    return {f"{reason} ({_shown(columns[number])})": count for number, reason, count in counted}


def _shown(column: Column) -> str:
    """Return a column's name for a message."""
    return column.name if len(column.name) <= MAX_NAME_CHARACTERS else f"{column.name[: MAX_NAME_CHARACTERS - 3]}..."


def with_lines(engine: Any, quarantine: Path, lines: Path) -> Path:
    """Return the quarantine with the further column `line`: where the row begins in its file, NULL if it has no line.

    Parameters
    ----------
    quarantine : as `write_quarantine` writes it; its table `sources` exists
    lines : as `collect` writes it, see `Collected.lines`
    """
    path = quarantine.with_name("quarantine-lines.parquet")
    engine.execute(
        f"""COPY (SELECT kept_back.* EXCLUDE (file_row_number),
                    CASE WHEN lines.line > 0 THEN lines.line + kept_back.row - lines.row END AS line
                  FROM read_parquet({literal(quarantine)}, file_row_number = true) kept_back
                  JOIN sources ON sources.name = kept_back.file
                  ASOF LEFT JOIN read_parquet({literal(lines)}) lines
                    ON lines.file = sources.number AND kept_back.row >= lines.row
                  ORDER BY kept_back.file_row_number)
            TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"""
    )
    return path
