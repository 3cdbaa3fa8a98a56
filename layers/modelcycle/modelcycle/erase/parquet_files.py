"""Parquet files without somebody's rows, and which of their rows these are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelcycle.cells.canonical import canonical_sql, create_macros, trimmed_sql
from modelcycle.engine import row_group_rows
from modelcycle.erase.subjects import PREDICTION_ID, Subjects, column_of
from modelcycle.faults import BadData
from modelcycle.sql_literal import identifier, literal

MAX_FETCHED = 100_000  # rows of subjects


def find_rows(
    engine: Any, path: Path, subjects: Subjects, names: Mapping[str, str]
) -> list[dict[str, Any]]:  # fmt: skip
    """Return the rows of the subjects: their number in the file, from 0, as `_row`, and their cells as text by column.

    Parameters
    ----------
    names : SQL of each column's text, by its name as people know it
    """
    condition = condition_sql(engine, subjects, names)
    if condition is None:
        return []
    cells = "".join(f", {sql} AS v{number}" for number, sql in enumerate(names.values()))
    found = engine.execute(
        f"""SELECT file_row_number{cells} FROM {source_sql(path)} WHERE {condition}
            ORDER BY file_row_number LIMIT {MAX_FETCHED}"""
    ).fetchall()
    return [{"_row": row, **dict(zip(names, texts, strict=True))} for row, *texts in found]


def write_without(engine: Any, path: Path, subjects: Subjects, names: Mapping[str, str], target: Path) -> int:
    """Write a file without the rows of the subjects, with its metadata; return how many rows are left.

    Raises
    ------
    BadData : two columns differ by capital letters alone, which DuckDB cannot write
    """
    stored = stored_columns(engine, path)
    if len({name.casefold() for name in stored}) < len(stored):
        raise BadData(
            "two columns of a Parquet file differ by capital letters alone: it cannot be written again", path.name,
            "write the file without the rows yourself, or delete it",
        )  # fmt: skip
    condition = condition_sql(engine, subjects, names) or "false"
    metadata = engine.execute(
        f"SELECT decode(key), decode(value) FROM parquet_kv_metadata({literal(path)}) ORDER BY 1"
    ).fetchall()
    told = ", ".join(f"{identifier(key)}: {literal(value)}" for key, value in metadata)
    left: int = engine.execute(
        f"""COPY (SELECT * EXCLUDE (file_row_number) FROM {source_sql(path)} WHERE NOT coalesce({condition}, false)
                  ORDER BY file_row_number)
            TO {literal(target)} (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {row_group_rows(len(stored))}
             {f", KV_METADATA {{{told}}}" if told else ""})"""
    ).fetchone()[0]
    return left


def condition_sql(engine: Any, subjects: Subjects, names: Mapping[str, str]) -> str | None:
    """Return SQL of whether a row is about one of the subjects; None if the file has none of their columns."""
    create_macros(engine)
    known = list(names)
    tests = []
    for condition in subjects.conditions:
        at = [(column_of(name, known), texts) for name, texts in condition.items()]
        if all(position is not None for position, _ in at):
            tests.append(" AND ".join(_is(names[known[position or 0]], texts) for position, texts in at))
    prediction = column_of(PREDICTION_ID, known)
    if prediction is not None and subjects.predictions:
        ids = ", ".join(literal(text) for text in sorted(subjects.predictions))
        tests.append(f"{names[known[prediction]]} IN ({ids})")
    return " OR ".join(f"({test})" for test in tests) if tests else None


def plain_names(engine: Any, path: Path) -> dict[str, str]:
    """Return SQL of the text of each column of a file, by name; of a struct, of each field."""
    table = engine.sql(f"SELECT * FROM read_parquet({literal(path)}, hive_partitioning = false)")
    names: dict[str, str] = {}
    for name, kind in zip(table.columns, table.types, strict=True):
        names |= _fields(name, identifier(name), kind)
    return names


def _fields(name: str, sql: str, kind: Any) -> dict[str, str]:
    if kind.id != "struct":
        return {name.strip(): f"{sql}::VARCHAR"}
    found: dict[str, str] = {}
    for field, inner in kind.children:
        found |= _fields(f"{name}.{field}", f"struct_extract({sql}, {literal(field)})", inner)
    return found


def source_sql(path: Path) -> str:
    return f"read_parquet({literal(path)}, hive_partitioning = false, file_row_number = true)"


def stored_columns(engine: Any, path: Path) -> Sequence[str]:
    """Return the names of the columns as they are written."""
    found = engine.execute(
        f"SELECT name FROM parquet_schema({literal(path)}) WHERE num_children IS NULL OR num_children = 0"
    ).fetchall()
    return [name for (name,) in found]


def _is(sql: str, texts: frozenset[str]) -> str:
    cell = f"nfc_normalize({trimmed_sql(sql)})"
    wanted = ", ".join(literal(text) for text in sorted(texts))
    return f"(SELECT {canonical_sql('cell')} FROM (SELECT {cell} AS cell)) IN ({wanted})"
