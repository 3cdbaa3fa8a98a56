"""Rows on their way: from the snapshot's texts to typed ones, each kept, quarantined or a duplicate.

All in the order of the snapshot (`place`); the wide ones are views of Parquet files, which are written and read in
bounded memory however many columns there are:
`clean` all rows, texts without the white space around them, NULL for no value;
`firsts` those that are no duplicate of an earlier one, with their `bucket` of 8;
`odd` (place, number of the column, reason): what doesn't parse;
`parts` (place, part) all rows, without a part where they are not kept;
`kept` typed columns c0, c1 ..., `target` as text or number, and `part`, in order of part and place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcycle.engine import batches, literal, row_group
from modelcycle.faults import BadData, Fault
from modelcycle.model import values
from modelcycle.model.columns import Column
from modelcycle.preprocess import kinds, split

MOST_UNREAD = 0.5  # of the rows that are no duplicates; rows without a target don't count
LONGEST_TEXT = 2000  # characters of a value in quarantine


def clean(
    engine: Any, shards: list[Path], columns: int, target: int, dropped: set[int], missing: list[str], folder: Path
) -> int:
    """Make `clean` and `firsts`; returns all rows. A row's bucket depends on its own columns alone."""
    files = ", ".join(literal(shard) for shard in shards)
    texts = ", ".join(f"{values.stripped_sql(f'c{n}', missing)} AS c{n}" for n in range(columns))
    _written(
        engine, folder / "clean.parquet", columns,
        f"""SELECT row_number() OVER () AS place, file, row, {texts}
            FROM read_parquet([{files}])""",
    )  # fmt: skip
    engine.execute(f"CREATE VIEW clean AS SELECT * FROM read_parquet({literal(folder / 'clean.parquet')})")
    features = [n for n in range(columns) if n != target and n not in dropped]
    # rows that are the same have the same bucket
    engine.execute(
        f"""CREATE TABLE firsts AS SELECT min(place) AS place, min(bucket) AS bucket
            FROM (SELECT place, md5_number({_joined(range(columns))}) AS digest,
                    (md5_number_lower({_joined(features)}) % {split.BUCKETS})::UTINYINT AS bucket FROM clean)
            GROUP BY digest"""
    )
    rows: int = engine.execute("SELECT count(*) FROM clean").fetchone()[0]
    return rows


def _written(engine: Any, path: Path, columns: int, query: str) -> None:
    engine.execute(f"COPY ({query}) TO {literal(path)} (FORMAT parquet, ROW_GROUP_SIZE {row_group(columns)})")


def _joined(columns: Any) -> str:
    # no value is another thing than any text
    parts = ", ".join(f"coalesce('=' || c{n}, '')" for n in columns)
    return f"concat_ws(chr(31), {parts})" if parts else "''"


def settle(
    engine: Any, columns: dict[int, Column], target: int, needed: dict[int, str], time: int | None, files: list[str],
    folder: Path,
) -> tuple[int, int, int, int, Path | None]:  # fmt: skip
    """Make `kept`, and write the quarantine.

    Parameters
    ----------
    columns : those that stay, by their number; the target among them
    needed : columns that a row must have a value of, with the reason that is given else
    time : the column by which rows are split; else by their bucket
    files : keys of the source files, by their number

    Returns
    -------
    kept, quarantined (rows), those of them with a value that does not parse, duplicates, the quarantine (Parquet: file,
    row, column, reason, text)

    Raises
    ------
    BadData : most rows would be quarantined
    """
    engine.execute("CREATE TABLE odd (place BIGINT, number INTEGER, reason VARCHAR, unread BOOLEAN)")
    for number in _unread(engine, columns):
        column = columns[number]
        engine.execute(
            f"""INSERT INTO odd SELECT place, {number}, $1, true FROM clean SEMI JOIN firsts USING (place)
                WHERE c{number} IS NOT NULL AND ({kinds.parsed(column, f"c{number}")}) IS NULL ORDER BY place""",
            [f"no {column.type}" + f" ({column.format})" * bool(column.format)],
        )
    for number, reason in needed.items():
        engine.execute(
            f"""INSERT INTO odd SELECT place, {number}, $1, false FROM clean SEMI JOIN firsts USING (place)
                WHERE c{number} IS NULL ORDER BY place""",
            [reason],
        )
    typed = ", ".join(
        f"{kinds.parsed(column, f'c{number}')} AS {'target' if number == target else f'c{number}'}"
        for number, column in columns.items()
    )
    timed = ""
    if time is not None:
        timed = f"JOIN (SELECT place, {kinds.parsed(columns[time], f'c{time}')} AS time FROM clean) USING (place)"
    engine.execute(
        f"""CREATE TABLE parts AS SELECT clean.place, kept.part FROM clean LEFT JOIN
              (SELECT place, {split.part("time" if timed else None)} AS part
               FROM firsts ANTI JOIN odd USING (place) {timed}) kept USING (place) ORDER BY clean.place"""
    )
    views = []
    for number in range(len(split.PARTS)):
        path = folder / f"kept-{number}.parquet"
        # side by side, not joined: a join of a wide table would hold it in memory, and need not keep its order
        _written(
            engine, path, len(columns),
            f"SELECT {typed} FROM clean POSITIONAL JOIN parts WHERE parts.part = {number}",
        )  # fmt: skip
        views.append(f"SELECT *, {number}::UTINYINT AS part FROM read_parquet({literal(path)})")
    engine.execute(f"CREATE VIEW kept AS {' UNION ALL '.join(views)}")
    rows, firsts, quarantined, unread, kept = engine.execute(
        """SELECT (SELECT count(*) FROM clean), (SELECT count(*) FROM firsts),
             (SELECT count(DISTINCT place) FROM odd), (SELECT count(DISTINCT place) FROM odd WHERE unread),
             (SELECT count(*) FROM kept)"""
    ).fetchone()
    duplicates = rows - firsts
    if rows != kept + quarantined + duplicates:
        raise Fault(
            f"{rows:,} rows came in, {kept:,} + {quarantined:,} + {duplicates:,} went out", "preprocess",
            "this is an error of ModelCycle: please report it",
        )  # fmt: skip
    if unread > firsts * MOST_UNREAD:
        raise _too_many(engine, columns, unread, firsts)
    return kept, quarantined, unread, duplicates, _quarantine(engine, columns, files, folder) if quarantined else None


def _unread(engine: Any, columns: dict[int, Column]) -> list[int]:
    """Columns of which not every value parses."""
    found: list[int] = []
    for batch in batches([number for number, column in columns.items() if column.type != "text"]):
        counts = engine.execute(
            "SELECT " + ", ".join(f"count(c{n}) - count({kinds.parsed(columns[n], f'c{n}')})" for n in batch)
            + " FROM clean"
        ).fetchone()  # fmt: skip
        found += [number for number, count in zip(batch, counts, strict=True) if count]
    return found


def _too_many(engine: Any, columns: dict[int, Column], unread: int, rows: int) -> BadData:
    number, reason, count = engine.execute(
        """SELECT number, reason, count(*) FROM odd WHERE unread
           GROUP BY number, reason ORDER BY count(*) DESC, number LIMIT 1"""
    ).fetchone()
    return BadData(
        f"{unread:,} of {rows:,} rows hold what could not be read",
        f"column {columns[number].name}: {reason} in {count:,} rows",
        "mend the column, or take it out by drop_columns or features.categorical",
    )  # fmt: skip


def _quarantine(engine: Any, columns: dict[int, Column], files: list[str], folder: Path) -> Path:
    path = folder / "quarantine.parquet"
    engine.execute(
        "CREATE TABLE files AS SELECT unnest($1::VARCHAR[]) AS name, unnest(range($2)) AS number", [files, len(files)]
    )
    engine.execute(
        "CREATE TABLE names AS SELECT unnest($1::VARCHAR[]) AS name, unnest($2::INTEGER[]) AS number",
        [[column.name for column in columns.values()], list(columns)],
    )
    text = " ".join(f"WHEN {number} THEN c{number}" for number in columns)
    engine.execute(
        f"""COPY (SELECT files.name AS file, clean.row, names.name AS column, odd.reason,
                    left(CASE odd.number {text} END, {LONGEST_TEXT}) AS text
                  FROM odd JOIN clean USING (place) JOIN files ON files.number = clean.file
                  JOIN names ON names.number = odd.number ORDER BY place, odd.number)
            TO {literal(path)} (FORMAT parquet, COMPRESSION zstd)"""
    )
    return path
