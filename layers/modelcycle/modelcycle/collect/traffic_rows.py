"""Live requests whose outcome is known, as rows in the spelling of the model's files.

Makes these DuckDB tables:

    predictions    id, key, asked: all captured rows, whether or not their outcome is known
    answered       row_id, id, asked_at (seconds since 1970 UTC), version, instance (JSON), masked: rows with an outcome
    sent_texts     row_id and masked of these; t0, t1 ... and k0, k1 ...: text and JSON type of each column
    traffic_rows   day (YYYY-MM-DD), prediction_id, asked_at, version, and c0, c1 ... as text

The last two are views of Parquet files: a table of many columns would be kept in memory while it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from modelcycle.captured import json_lines
from modelcycle.captured.outcome_rows import key_sql
from modelcycle.cells import dates
from modelcycle.cells.reading import Reading, parsed_sql
from modelcycle.collect.traffic_spelling import spelled_class, spelled_column, spelled_number
from modelcycle.engine import Engine, batches, row_group_rows
from modelcycle.json_pointer import json_pointer
from modelcycle.sql_literal import literal

MAX_TRAFFIC_ROWS = 1_000_000  # of one pull, the newest; each costs a line of JSON and a row of text
MAX_NAMED = 8  # columns in a note


class TrafficColumns(NamedTuple):
    """The columns of the files, as the contract of the live version reads them.

    Parameters
    ----------
    readings : by name, in the order of the data, the target last
    target, time : names; None: rows have no time
    has_classes : whether the target is one of some classes
    missing_values : texts that mean a missing value in every column
    """

    readings: Mapping[str, Reading]
    target: str
    has_classes: bool
    time: str | None
    missing_values: tuple[str, ...]


class TrafficRows(NamedTuple):
    """What has become of the captured rows: how many there are, the columns that any of them holds, even masked, and
    what people should know.
    """

    rows: int
    sent: list[str]
    notes: list[str]


def create_predictions(
    engine: Engine, captures: Sequence[Path], model: str, ids: Sequence[str], window: tuple[datetime, datetime]
) -> None:
    """Create the table `predictions` (id, key, asked) of captured answers, each id once.

    Answers of a shadow version do not count.

    Parameters
    ----------
    captures : files of JSON lines
    ids : columns that identify an entity; outcomes may name these instead of a prediction
    window : first and last time of an answer
    """
    texts = [f"json_extract_string(json, {literal(json_pointer('instance', name))})" for name in ids]
    engine.execute(
        f"""CREATE TABLE predictions AS
            SELECT json ->> '$.prediction_id' AS id, {key_sql(texts)} AS key,
              try_cast(json ->> '$.at' AS TIMESTAMPTZ) AS asked
            FROM ({json_lines(captures)})
            WHERE json ->> '$.shadow' IS NULL AND json ->> '$.model' = $1 AND id IS NOT NULL
              AND asked BETWEEN $2 AND $3 AND json_type(json, '/instance') = 'OBJECT'
            QUALIFY row_number() OVER (PARTITION BY id ORDER BY asked) = 1""",
        [model, *window],
    )


def create_answered(engine: Engine, captures: Sequence[Path], most: int = MAX_TRAFFIC_ROWS) -> int:
    """Create `answered` from captured lines, `predictions`, and `matched`: see `match_outcomes`; return its rows.

    Parameters
    ----------
    captures : files of JSON lines
    most : rows; the newest are taken
    """
    engine.execute(
        f"""CREATE TABLE known AS SELECT id, class, value, epoch(asked) AS asked_at FROM matched
            ORDER BY asked DESC, id LIMIT {most}"""
    )
    engine.execute(
        f"""CREATE TABLE unordered_answers AS
            SELECT id, asked_at, version, instance, coalesce(masked, []) AS masked FROM (
              SELECT json ->> '$.prediction_id' AS id, try_cast(json ->> '$.version' AS INTEGER) AS version,
                json -> '$.instance' AS instance, try_cast(json -> '$.masked' AS VARCHAR[]) AS masked
              FROM ({json_lines(captures)}) WHERE json ->> '$.shadow' IS NULL)
            JOIN known USING (id)
            QUALIFY row_number() OVER (PARTITION BY id) = 1"""
    )
    engine.execute(
        """CREATE TABLE answered AS SELECT row_number() OVER () AS row_id, *
           FROM (FROM unordered_answers ORDER BY asked_at, id)"""
    )
    engine.execute("DROP TABLE unordered_answers")
    rows: int = engine.execute("SELECT count(*) FROM answered").fetchone()[0]
    return rows


def create_traffic_rows(engine: Engine, columns: TrafficColumns, folder: Path) -> TrafficRows:
    """Create `traffic_rows` from `answered` and `known`.

    A column that the requests lack is missing. If that is the time column, the time of the prediction stands there.

    Parameters
    ----------
    folder : for Parquet files
    """
    notes: list[str] = []
    readings = columns.readings
    spelled = {
        name: spelled_column(name, number, reading, columns.missing_values)
        for number, (name, reading) in enumerate(readings.items())
        if name != columns.target
    }
    _create_sent_texts(engine, list(readings), folder)
    sent = _sent(engine, [(name, number) for number, name in enumerate(readings) if name in spelled])
    target = readings[columns.target]
    outcome = spelled_class("class", target) if columns.has_classes else spelled_number("value::VARCHAR", target)
    texts = {name: column.text for name, column in spelled.items() if name in sent}
    stamped = columns.time is not None and columns.time not in sent and columns.time in readings
    if stamped:
        assert columns.time is not None
        _create_stamps(engine, readings[columns.time])
        texts[columns.time] = "stamp"
        notes.append(f"{columns.time[:60]}: requests lack it; the time of the prediction stands there")
    texts[columns.target] = outcome
    listed = ", ".join(
        f"({texts[name]})::VARCHAR AS c{number}" if name in texts else f"NULL::VARCHAR AS c{number}"
        for number, name in enumerate(readings)
    )
    stamps = " LEFT JOIN stamps USING (asked_at)" if stamped else ""
    numbers = {name: number for number, name in enumerate(readings)}
    needed = [columns.target, *([columns.time] if columns.time in numbers else [])]
    complete = " AND ".join(f"({parsed_sql(readings[name], f'c{numbers[name]}')}) IS NOT NULL" for name in needed)
    _create_view(
        engine, "traffic_rows", folder, len(readings),
        f"""SELECT * FROM (
              SELECT strftime(make_timestamp((asked_at * 1000000)::BIGINT), '%Y-%m-%d') AS day, id AS prediction_id,
                asked_at, version, {listed}
              FROM sent_texts JOIN (SELECT row_id, id, asked_at, version FROM answered) USING (row_id)
                JOIN known USING (id, asked_at){stamps})
            WHERE {complete}""",
    )  # fmt: skip
    rows, answered = engine.execute(
        "SELECT (SELECT count(*) FROM traffic_rows), (SELECT count(*) FROM answered)"
    ).fetchone()
    if rows < answered:
        names = " or ".join(name[:60] for name in needed)
        notes.append(f"{answered - rows:,} of {answered:,} answered requests have no readable {names}: left out")
    lacking = [name for name in spelled if name not in sent and name != columns.time]
    if lacking and rows:
        notes.append(f"requests have no {_listed(lacking)}: missing in their rows")
    lost = {name: n for name, n in _lost(engine, {name: spelled[name].lost for name in sent}).items() if n}
    if lost:
        named = ", ".join(f"{name[:60]} ({n:,})" for name, n in list(lost.items())[:MAX_NAMED])
        notes.append(f"values of requests that cannot be read as their column are missing: {named}")
    hidden = engine.execute("SELECT DISTINCT unnest(masked) AS name FROM answered ORDER BY name").fetchall()
    masked = [name for (name,) in hidden if name in readings]
    if masked:
        notes.append(f"masked values of {_listed(masked)} are missing")
    return TrafficRows(rows, sent, notes)


def _create_sent_texts(engine: Engine, names: Sequence[str], folder: Path) -> None:
    """Create `sent_texts`; the JSON of each row is parsed twice, however many columns it has."""
    pointers = ", ".join(literal(json_pointer(name)) for name in names)
    listed = ", ".join(f"texts[{n + 1}] AS t{n}, kinds[{n + 1}] AS k{n}" for n in range(len(names)))
    _create_view(
        engine, "sent_texts", folder, 2 * len(names),
        f"""SELECT row_id, masked, {listed} FROM (
              SELECT row_id, masked, json_extract_string(instance, [{pointers}]) AS texts,
                json_type(instance, [{pointers}]) AS kinds
              FROM answered)""",
    )  # fmt: skip


def _create_view(engine: Engine, name: str, folder: Path, columns: int, query: str) -> None:
    path = folder / f"{name}.parquet"
    engine.execute(f"COPY ({query}) TO {literal(path)} (FORMAT parquet, ROW_GROUP_SIZE {row_group_rows(columns)})")
    engine.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({literal(path)})")


def _sent(engine: Engine, columns: list[tuple[str, int]]) -> list[str]:
    """Return the columns, each a name and its number, that any request holds."""
    found: list[str] = []
    for batch in batches(columns):
        has = ", ".join(f"count(k{number}) > 0" for _, number in batch)
        sent = engine.execute(f"SELECT {has} FROM sent_texts").fetchone()
        found += [name for (name, _), is_sent in zip(batch, sent, strict=True) if is_sent]
    return found


def _lost(engine: Engine, lost: Mapping[str, str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for batch in batches(list(lost)):
        sums = ", ".join(f"count(*) FILTER ({lost[name]})" for name in batch)
        counts |= dict(zip(batch, engine.execute(f"SELECT {sums} FROM sent_texts").fetchone(), strict=True))
    return counts


def _create_stamps(engine: Engine, reading: Reading) -> None:
    """Create `stamps` (asked_at, stamp): each prediction's time as the time column writes it; none for a number."""
    engine.execute("CREATE OR REPLACE TABLE stamps (asked_at DOUBLE, stamp VARCHAR)")
    if reading.type != "datetime":
        return
    times = [at for (at,) in engine.execute("SELECT DISTINCT asked_at FROM answered ORDER BY asked_at").fetchall()]
    engine.execute(
        "INSERT INTO stamps SELECT unnest($1::DOUBLE[]), unnest($2::VARCHAR[])",
        [times, [dates.to_text(at, reading.format) for at in times]],
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(name[:60] for name in names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
