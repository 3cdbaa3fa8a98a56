"""Converts captured objects to Parquet, as many at once as the disk takes; one that cannot be read stops no other."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from modelcycle.captured.answer_rows import AnswerFiles, write_answers
from modelcycle.captured.joined_lines import join_lines
from modelcycle.engine import connect
from modelcycle.store import Listed, Store


class Converted(NamedTuple):
    """What was done with the first of the objects.

    Parameters
    ----------
    written : their rows
    read : whose rows these are
    broken : that cannot be read
    gone : deleted since they were listed
    rest : not looked at
    broken_lines : of those that were read: too long, no UTF-8, no JSON, or without an id, a time or a version
    """

    written: AnswerFiles
    read: list[Listed]
    broken: list[Listed]
    gone: list[Listed]
    rest: list[Listed]
    broken_lines: int


def convert_next(data: Store, objects: Sequence[Listed], model: str, folder: Path) -> Converted:
    """Convert the first of some objects.

    Parameters
    ----------
    objects : at least one
    folder : is created; the Parquet files are in it, and nothing else when the call returns

    Raises
    ------
    Transient : an object was replaced since it was listed, or the store does not answer
    BadData : the work does not fit into the memory
    """
    import duckdb

    folder.mkdir()
    lines = folder / "lines"
    count = len(objects)
    while True:
        joined = join_lines(data, objects[:count], lines)
        try:
            with connect(folder, "captures") as engine:
                written = write_answers(engine, lines, model, folder / "rows")
        except duckdb.OutOfMemoryException:
            raise
        except duckdb.Error:  # find the object that DuckDB cannot read, by halves
            if len(joined.read) <= 1:
                written, joined = AnswerFiles([], [], [], {}, {}), joined._replace(
                    read=[], broken=[*joined.read, *joined.broken], lines=0
                )  # fmt: skip
            else:
                count = len(joined.read) // 2
                shutil.rmtree(folder)
                folder.mkdir()
                continue
        for path in folder.iterdir():
            if path.name not in ("rows", "rows-once"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        broken_lines = written.broken + max(joined.lines - written.lines, 0)
        rest = [*joined.rest, *objects[count:]]
        return Converted(written, joined.read, joined.broken, joined.gone, rest, broken_lines)
