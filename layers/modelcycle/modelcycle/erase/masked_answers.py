"""Captured answers of which nobody can say whose they are: the column that identifies a person is masked in them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modelcycle.captured.answer_rows import MASKED, cell_of
from modelcycle.erase.subjects import Subjects, column_of
from modelcycle.sql_literal import literal

GZIP_MAGIC = b"\x1f\x8b"


def masked_in_compacted(engine: Any, path: Path, subjects: Subjects, columns: Mapping[str, str]) -> int:
    """Return the rows of a compacted file in which a column that identifies a subject is masked.

    Parameters
    ----------
    columns : names by code, as the hour's manifest has them
    """
    stored = {name for (name,) in engine.execute(f"SELECT name FROM parquet_schema({literal(path)})").fetchall()}
    names = list(columns.values())
    codes = list(columns)
    at = {column_of(column, names) for column in subjects.columns()} - {None}
    kinds = [cell_of(codes[position]).kind for position in at if position is not None]
    tests = [f'coalesce("{kind}" = {MASKED}, false)' for kind in kinds if kind in stored]
    if not tests:
        return 0
    found: int = engine.execute(
        f"SELECT count(*) FROM read_parquet({literal(path)}) WHERE {' OR '.join(tests)}"
    ).fetchone()[0]
    return found


def masked_in_lines(path: Path, model: str, subjects: Subjects) -> int:
    """Return the same of a captured object, which is not compacted yet; what cannot be read counts elsewhere."""
    columns = subjects.columns()
    return sum(
        any(column_of(column, names) is not None for column in columns) for names in _masked_columns(path, model)
    )


def _masked_columns(path: Path, model: str) -> Iterator[list[str]]:
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP_MAGIC
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            for line in file:
                if b'"masked"' not in line:
                    continue
                try:
                    value = json.loads(line)
                except ValueError:
                    continue
                if (
                    isinstance(value, dict)
                    and value.get("model", model) == model
                    and isinstance(value.get("masked"), list)
                ):
                    yield [str(name) for name in value["masked"]]
    except (OSError, EOFError):  # cut short
        return
