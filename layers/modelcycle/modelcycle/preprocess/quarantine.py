"""The quarantine: the values because of which rows are not kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcycle.engine import literal
from modelcycle.model.columns import Column

MAX_TEXT_CHARACTERS = 2000  # stored of a value
MAX_NAME_CHARACTERS = 60  # of a column in a reason


def write_quarantine(engine: Any, columns: dict[int, Column], sources: list[str], folder: Path) -> Path:
    """Write `invalid_values` to a Parquet file: file, row, column, reason, text.

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
        f"""COPY (SELECT sources.name AS file, clean_rows.row, column_names.name AS column, invalid_values.reason,
                    left(CASE invalid_values.number {text} END, {MAX_TEXT_CHARACTERS}) AS text
                  FROM invalid_values JOIN clean_rows USING (row_id) JOIN sources ON sources.number = clean_rows.file
                  JOIN column_names ON column_names.number = invalid_values.number
                  ORDER BY row_id, invalid_values.number)
            TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"""
    )
    return path


def quarantine_reasons(engine: Any, columns: dict[int, Column]) -> dict[str, int]:
    """Return the quarantined rows by reason, the most frequent first; a row with several reasons counts for each.

    A value that is missing is one reason for each column that may not miss any. Values that do not parse are one reason
    together, which names the column that has most of them.

    Parameters
    ----------
    columns : by number
    """
    counted: list[tuple[str, int]] = [
        (f"{reason} ({_shown(columns[number])})", rows)
        for number, reason, rows in engine.execute(
            "SELECT number, reason, count(*) FROM invalid_values WHERE NOT unparsed GROUP BY ALL ORDER BY number"
        ).fetchall()
    ]
    unparsed = engine.execute(
        "SELECT number, reason, count(*) FROM invalid_values WHERE unparsed GROUP BY ALL ORDER BY 3 DESC, number"
    ).fetchall()
    if unparsed:
        number, reason, _ = unparsed[0]
        most = "most in " if len(unparsed) > 1 else ""
        rows = engine.execute("SELECT count(DISTINCT row_id) FROM invalid_values WHERE unparsed").fetchone()[0]
        counted.append((f"a value is unreadable ({most}{_shown(columns[number])}: {reason})", rows))
    return dict(sorted(counted, key=lambda reason: -reason[1]))


def _shown(column: Column) -> str:
    """Return a column's name for a message."""
    return column.name if len(column.name) <= MAX_NAME_CHARACTERS else f"{column.name[: MAX_NAME_CHARACTERS - 3]}..."
