"""Rows on their way: from the snapshot's texts to typed ones, each kept, quarantined or a duplicate.

Tables, all in the order of the snapshot (`place`):
`clean` all rows, texts without the white space around them, NULL for no value;
`firsts` those that are no duplicate of an earlier one, with their `bucket` of 8;
`odd` (place, number of the column, reason): what doesn't parse;
`kept` typed columns c0, c1 ..., `target` as text or number, and `part`, in order of part and place.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcycle.engine import literal
from modelcycle.faults import BadData, Fault
from modelcycle.model.columns import Column
from modelcycle.preprocess import kinds

WHITE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())  # what str.strip takes off
BUCKETS = 8
MOST_UNREAD = 0.5  # of the rows that are no duplicates; rows without a target don't count
LONGEST_TEXT = 2000  # characters of a value in quarantine


def clean(engine: Any, shards: list[Path], columns: int, target: int, dropped: set[int], missing: list[str]) -> int:
    """Make `clean` and `firsts`; returns all rows. A row's bucket depends on its own columns alone."""
    tokens = ", ".join(literal(token.strip()) for token in (*missing, ""))
    files = ", ".join(literal(shard) for shard in shards)
    trimmed = ", ".join(f"trim(c{n}, {literal(WHITE)}) AS c{n}" for n in range(columns))
    texts = ", ".join(f"CASE WHEN c{n} NOT IN ({tokens}) THEN c{n} END AS c{n}" for n in range(columns))
    engine.execute(
        f"""CREATE TABLE clean AS SELECT row_number() OVER () AS place, file, row, {texts}
            FROM (SELECT file, row, {trimmed} FROM read_parquet([{files}]))"""
    )
    features = [n for n in range(columns) if n != target and n not in dropped]
    # rows that are the same have the same bucket
    engine.execute(
        f"""CREATE TABLE firsts AS SELECT min(place) AS place, min(bucket) AS bucket
            FROM (SELECT place, md5_number({_joined(range(columns))}) AS digest,
                    (md5_number_lower({_joined(features)}) % {BUCKETS})::UTINYINT AS bucket FROM clean)
            GROUP BY digest"""
    )
    rows: int = engine.execute("SELECT count(*) FROM clean").fetchone()[0]
    return rows


def _joined(columns: Any) -> str:
    # no value is another thing than any text
    parts = ", ".join(f"coalesce('=' || c{n}, '')" for n in columns)
    return f"concat_ws(chr(31), {parts})" if parts else "''"


def settle(
    engine: Any, columns: dict[int, Column], target: int, needed: dict[int, str], part: str, files: list[str],
    folder: Path,
) -> tuple[int, int, int, Path | None]:  # fmt: skip
    """Make `kept`, and write the quarantine.

    Parameters
    ----------
    columns : those that stay, by their number; the target among them
    needed : columns that a row must have a value of, with the reason that is given else
    part : SQL that gives a kept row its part
    files : keys of the source files, by their number

    Returns
    -------
    kept, quarantined (rows), duplicates, the quarantine (Parquet: file, row, column, reason, text)

    Raises
    ------
    BadData : most rows would be quarantined
    """
    engine.execute("CREATE TABLE odd (place BIGINT, number INTEGER, reason VARCHAR, unread BOOLEAN)")
    for number, column in columns.items():
        if column.type != "text":
            engine.execute(
                f"""INSERT INTO odd SELECT place, {number}, $1, true FROM clean SEMI JOIN firsts USING (place)
                    WHERE c{number} IS NOT NULL AND ({kinds.parsed(column, f"c{number}")}) IS NULL ORDER BY place""",
                [f"no {column.type}" + f" ({column.format})" * bool(column.format)],
            )
        if number in needed:
            engine.execute(
                f"""INSERT INTO odd SELECT place, {number}, $1, false FROM clean SEMI JOIN firsts USING (place)
                    WHERE c{number} IS NULL ORDER BY place""",
                [needed[number]],
            )
    typed = ", ".join(
        f"{kinds.parsed(column, f'c{number}')} AS {'target' if number == target else f'c{number}'}"
        for number, column in columns.items()
    )
    engine.execute(
        f"""CREATE TABLE kept AS SELECT * EXCLUDE (bucket), {part} AS part
            FROM (SELECT place, bucket, {typed} FROM clean JOIN firsts USING (place) ANTI JOIN odd USING (place))
            ORDER BY part, place"""
    )
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
    return kept, quarantined, duplicates, _quarantine(engine, columns, files, folder) if quarantined else None


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
