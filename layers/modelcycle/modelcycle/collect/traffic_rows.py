"""Live requests whose outcome is known, as rows in the spelling of the model's files.

Makes these in DuckDB:

    predictions    id, key, asked: the captured rows to which an outcome may belong
    known          id, class, value, asked_at (seconds since 1970 UTC): the newest outcomes
    sent_texts     id, asked_at and version of the rows with an outcome; t0, t1 ... and k0, k1 ...: see `captured.Cell`
    traffic_rows   day (YYYY-MM-DD), prediction_id, asked_at, version, and c0, c1 ... as text

The last two are views of Parquet files: a table of many columns would be kept in memory while it is written.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from modelcycle.captured import Cell
from modelcycle.captured.answer_rows import MASKED
from modelcycle.captured.outcome_rows import OutcomeColumns, key_sql
from modelcycle.cells import dates
from modelcycle.cells.reading import Reading, parsed_sql
from modelcycle.collect.broken_times import BrokenTime, asked_in
from modelcycle.collect.traffic_spelling import spelled_class, spelled_column, spelled_number
from modelcycle.engine import Engine, batches, row_group_rows
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


def create_predictions(engine: Engine, cells: Mapping[str, Cell], columns: OutcomeColumns) -> None:
    """Create the table `predictions` (id, key, asked) of rows of `answers` to which an outcome in `told` may belong.

    Parameters
    ----------
    engine : with the view `answers`, see `captured.Window.create_rows`
    cells : of the columns of the requests
    columns : its ids identify an entity; outcomes may name these instead of a prediction
    """
    texts = {
        name: f"CASE WHEN NOT {cells[name].masked} THEN {cells[name].text} END" if name in cells else "NULL::VARCHAR"
        for name in columns.ids
    }
    key = key_sql(columns.id_texts(texts))
    engine.execute(
        f"""CREATE TABLE predictions AS
            SELECT id, key, asked FROM (SELECT prediction_id AS id, {key} AS key, "at" AS asked FROM answers)
            WHERE id IN (SELECT id FROM told WHERE id IS NOT NULL)
              OR key IN (SELECT key FROM told WHERE id IS NULL AND key IS NOT NULL)"""
    )


def create_known(engine: Engine, broken: Sequence[BrokenTime] = (), most: int = MAX_TRAFFIC_ROWS) -> int:
    """Create `known` from `matched`: see `match_outcomes`; return its rows.

    Parameters
    ----------
    broken : times whose requests are left out
    most : rows; the newest are taken
    """
    engine.execute(
        f"""CREATE TABLE known AS SELECT id, class, value, epoch(asked) AS asked_at FROM matched
            WHERE NOT {asked_in(broken, "epoch(asked)")} ORDER BY asked DESC, id LIMIT {most}"""
    )
    rows: int = engine.execute("SELECT count(*) FROM known").fetchone()[0]
    return rows


def create_no_rows(engine: Engine, columns: TrafficColumns) -> None:
    """Create `traffic_rows` without a row."""
    own = "".join(f", c{number} VARCHAR" for number in range(len(columns.readings)))
    engine.execute(
        f"CREATE TABLE traffic_rows (day VARCHAR, prediction_id VARCHAR, asked_at DOUBLE, version INTEGER{own})"
    )


def create_traffic_rows(
    engine: Engine, columns: TrafficColumns, cells: Mapping[str, Cell], read: Collection[str], folder: Path
) -> TrafficRows:
    """Create `traffic_rows` from `answers` and `known`.

    A column that the requests lack is missing. If that is the time column, the time of the prediction stands there.

    Parameters
    ----------
    cells : of the columns of the requests
    read : columns that the live version reads; a row in which one of these is masked is left out, because the model
        would learn that its value is missing
    folder : for Parquet files
    """
    notes: list[str] = []
    readings = columns.readings
    spelled = {
        name: spelled_column(number, reading, columns.missing_values)
        for number, (name, reading) in enumerate(readings.items())
        if name != columns.target
    }
    _create_sent_texts(engine, list(readings), cells, folder)
    spelled_columns = [(name, number) for number, name in enumerate(readings) if name in spelled]
    sent = _columns_where(engine, spelled_columns, "count({kind}) > 0")
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
    hiding = [name for name in spelled if name in read and name in sent]
    is_hidden = " OR ".join(f"coalesce(k{numbers[name]} = {MASKED}, false)" for name in hiding) or "false"
    complete = " AND ".join(f"({parsed_sql(readings[name], f'c{numbers[name]}')}) IS NOT NULL" for name in needed)
    _create_view(
        engine, "traffic_rows", folder, len(readings),
        f"""SELECT * FROM (
              SELECT strftime(make_timestamp((asked_at * 1000000)::BIGINT), '%Y-%m-%d') AS day, id AS prediction_id,
                asked_at, version, {listed}
              FROM (FROM sent_texts WHERE NOT ({is_hidden})) JOIN known USING (id, asked_at){stamps})
            WHERE {complete}""",
    )  # fmt: skip
    rows, answered, hidden = engine.execute(
        f"""SELECT (SELECT count(*) FROM traffic_rows), count(*), count(*) FILTER ({is_hidden}) FROM sent_texts"""
    ).fetchone()
    if rows + hidden < answered:
        names = " or ".join(name[:60] for name in needed)
        lost_rows = answered - rows - hidden
        notes.append(f"{lost_rows:,} of {answered:,} answered requests have no readable {names}: left out")
    lacking = [name for name in spelled if name not in sent and name != columns.time]
    if lacking and rows:
        notes.append(f"requests have no {_listed(lacking)}: missing in their rows")
    lost = {name: n for name, n in _lost(engine, {name: spelled[name].lost for name in sent}).items() if n}
    if lost:
        named = ", ".join(f"{name[:60]} ({n:,})" for name, n in list(lost.items())[:MAX_NAMED])
        notes.append(f"values of requests that cannot be read as their column are missing: {named}")
    is_masked = f"coalesce(bool_or({{kind}} = {MASKED}), false)"
    masked = _columns_where(engine, [(name, numbers[name]) for name in sent], is_masked)
    if hidden:
        named = _listed([name for name in masked if name in read])
        notes.append(
            f"{hidden:,} of {answered:,} answered requests are left out: capture.mask hides {named},"
            " which the model reads"
        )
    unread = [name for name in masked if name not in read]
    if unread:
        notes.append(f"masked values of {_listed(unread)} are missing")
    return TrafficRows(rows, sent, notes)


def _create_sent_texts(engine: Engine, names: Sequence[str], cells: Mapping[str, Cell], folder: Path) -> None:
    """Create `sent_texts`; lines that held no column at all were no requests."""
    listed = ", ".join(
        f"{cells[name].text} AS t{n}, {cells[name].kind} AS k{n}"
        if name in cells
        else f"NULL::VARCHAR AS t{n}, NULL::UTINYINT AS k{n}"
        for n, name in enumerate(names)
    )
    is_request = " OR ".join(cell.sent for cell in cells.values()) or "false"
    _create_view(
        engine, "sent_texts", folder, 2 * len(names),
        f"""SELECT id, asked_at, version, {listed} FROM answers JOIN known ON prediction_id = id WHERE {is_request}""",
    )  # fmt: skip


def _create_view(engine: Engine, name: str, folder: Path, columns: int, query: str) -> None:
    path = folder / f"{name}.parquet"
    engine.execute(f"COPY ({query}) TO {literal(path)} (FORMAT parquet, ROW_GROUP_SIZE {row_group_rows(columns)})")
    engine.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({literal(path)})")


def _columns_where(engine: Engine, columns: list[tuple[str, int]], condition: str) -> list[str]:
    """Return the columns, each a name and its number, for which an aggregate of their kinds is true.

    Parameters
    ----------
    condition : SQL with `{kind}` for the kinds of a column's cells
    """
    found: list[str] = []
    for batch in batches(columns):
        conditions = ", ".join(condition.format(kind=f"k{number}") for _, number in batch)
        holds = engine.execute(f"SELECT {conditions} FROM sent_texts").fetchone()
        found += [name for (name, _), is_true in zip(batch, holds, strict=True) if is_true]
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
    times = [at for (at,) in engine.execute("SELECT DISTINCT asked_at FROM sent_texts ORDER BY asked_at").fetchall()]
    engine.execute(
        "INSERT INTO stamps SELECT unnest($1::DOUBLE[]), unnest($2::VARCHAR[])",
        [times, [dates.to_text(at, reading.format) for at in times]],
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_NAMED
    return ", ".join(name[:60] for name in names[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
