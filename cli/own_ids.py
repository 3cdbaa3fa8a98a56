"""Ids of a local file in its results: what is stored has pseudonyms, and who has the file needs none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.data_file import open_data_file
from cli.result_file import read_sql
from modelcycle.score_batch.numbered_rows import number_rows
from modelcycle.spec.sources import Csv
from modelcycle.sql_literal import identifier, literal

Written = tuple[int, int]


def written(path: Path) -> Written:
    """Return size and time of a file, by which a change is seen."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def restore_ids(
    parts: Sequence[Path], columns: Sequence[str], ids: Mapping[str, str], data: Path, csv: Csv, whole: Sequence[str]
) -> None:
    """Write the ids of a file into its results, by the number of the row: both are numbered by the same code.

    Parameters
    ----------
    parts : CSV files of the results, with a header each; they are written anew
    columns : of the results
    ids : column of the results by column of the file
    data : the file that was scored
    csv, whole : how the version's run reads files, see `open_data_file`
    """
    with open_data_file(data, csv, whole) as file:
        engine = file.engine
        rows = number_rows(engine, file.table, str(data))
        own = ", ".join(f"{rows.column(name)} AS o{number}" for number, name in enumerate(ids))
        engine.execute(f"CREATE TABLE own AS SELECT number, {own} FROM numbered")
        restored = {name: f"o{number}" for number, name in enumerate(ids.values())}
        shown = ", ".join(
            f"{restored[name]} AS {identifier(name)}" if name in restored else f"part.{identifier(name)}"
            for name in columns
        )
        for part in parts:
            results = read_sql([part], columns, [], as_text=True)
            engine.execute(f"CREATE OR REPLACE TABLE part AS SELECT row_number() OVER () AS line, * FROM {results}")
            joined = 'part LEFT JOIN own ON try_cast(part."row" AS BIGINT) = own.number ORDER BY part.line'
            target = part.with_suffix(".own")
            engine.execute(
                f"COPY (SELECT {shown} FROM {joined}) TO {literal(target)}"
                " (FORMAT csv, HEADER true, DELIMITER ',', NULLSTR '')"
            )
            target.replace(part)
