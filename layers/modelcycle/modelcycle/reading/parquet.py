"""Parquet: every value as the text that `preprocess` reads back without loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcycle.engine import literal
from modelcycle.faults import UnreadableFile
from modelcycle.reading import column_names, piece
from modelcycle.reading.piece import Piece

NESTED = ("STRUCT", "MAP", "UNION")


def read(engine: Any, source: Path, where: str, target: Path) -> Piece:
    """The rows of a Parquet file as a piece at `target`."""
    import duckdb

    # what stands in a folder's name (year=2024) is no column
    file = f"read_parquet({literal(source)}, hive_partitioning = false)"
    try:
        relation = engine.execute(f"DESCRIBE SELECT * FROM {file}").fetchall()
        names = column_names.checked([name for name, *_ in relation], where)
        columns = ", ".join(f"{_text(name, kind)} AS c{place}" for place, (name, kind, *_) in enumerate(relation))
        rows = piece.write(engine, target, f"SELECT {columns} FROM {file}", len(names))
    except (
        duckdb.InvalidInputException,
        duckdb.IOException,
        duckdb.ConversionException,
        duckdb.SerializationException,
    ):
        raise UnreadableFile("the file is not Parquet, or is broken", where, "write the file again") from None
    source.unlink()
    return Piece(target, names, rows, 0)


def _text(name: str, kind: str) -> str:
    column = '"' + name.replace('"', '""') + '"'
    if kind.startswith(NESTED) or kind.endswith("]"):
        return f"to_json({column})::VARCHAR"
    return f"{column}::VARCHAR"
