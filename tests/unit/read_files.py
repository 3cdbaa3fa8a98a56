"""What is read of a file."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from modelcycle.engine import connect
from modelcycle.reading import read_file
from modelcycle.spec.sources import Csv


class Read(NamedTuple):
    names: list[str]
    rows: list[tuple[str | None, ...]]
    notes: tuple[str, ...]
    lines: list[int | None]
    broken: list[tuple[int, str]]


def read(body: str | bytes, name: str = "a.csv", given: Csv | None = None) -> Read:
    with TemporaryDirectory() as folder, connect(Path(folder), name, 1024) as engine:
        source = Path(folder) / "source"
        source.write_bytes(body if isinstance(body, bytes) else body.encode())
        table = read_file(engine, source, name, Path(folder) / "0.parquet", given)
        rows = list(table.texts(engine))
        broken = engine.execute("SELECT line, reason FROM broken_lines ORDER BY line").fetchall()
        assert (table.rows, table.broken) == (len(rows), len(broken))
        return Read(
            table.names, rows, table.notes, [table.numbers.line_of(row + 1) for row in range(len(rows))], broken
        )
