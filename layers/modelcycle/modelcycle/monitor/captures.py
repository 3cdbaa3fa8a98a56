"""The captured predictions of a time window, as typed columns.

Firehose writes them under `captures/model={model}/YYYY/MM/DD/HH/`, by the hour of arrival in UTC: many small objects or
few large ones, with gzip or without, some records more than once. Until version 0.1 all models shared the objects under
`captures/YYYY/MM/DD/HH/`; they are read while they exist.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from modelcycle.captured import GZIP_FAULTS, Selection, hourly, json_lines, newest, opened
from modelcycle.cells.missing import stripped_sql
from modelcycle.cells.reading import missing_texts_of, parsed_sql
from modelcycle.faults import Transient, Unknown
from modelcycle.json_pointer import json_pointer
from modelcycle.model.columns import Texts, Values
from modelcycle.model.profile import ColumnProfile
from modelcycle.sql_literal import literal
from modelcycle.store import Listed, Store

MAX_OBJECTS = 5_000
MAX_STORED_BYTES = 256 * 2**20  # of all objects, as they are stored
MAX_CONCURRENT_DOWNLOADS = 8
DOWNLOADS_ON_DISK = 200  # objects that are downloaded before they are joined and deleted


def list_captures(data: Store, model: str, start: datetime, end: datetime) -> Selection:
    """List the objects that may hold the model's predictions of the window."""
    folders = [f"captures/model={model}", "captures"]
    return newest(hourly(data, folders, start, end), MAX_OBJECTS, MAX_STORED_BYTES)


def download_captures(data: Store, objects: Sequence[Listed], folder: Path) -> tuple[Path, int]:
    """Join the lines of all objects in one file.

    Returns
    -------
    the file, and how many objects could not be read (broken, or changed or deleted since they were listed)
    """
    joined = folder / "captures.jsonl"
    unread = 0

    def download(listed: Listed, path: Path) -> bool:
        try:
            data.download(listed, path)
        except (Transient, Unknown):
            return False
        return True

    with joined.open("wb") as target, ThreadPoolExecutor(MAX_CONCURRENT_DOWNLOADS) as pool:
        for start in range(0, len(objects), DOWNLOADS_ON_DISK):
            batch = objects[start : start + DOWNLOADS_ON_DISK]
            paths = [folder / f"capture-{position}" for position in range(len(batch))]
            for path, downloaded in zip(paths, pool.map(download, batch, paths), strict=True):
                unread += not (downloaded and _append_lines(path, target))
                path.unlink(missing_ok=True)
    return joined, unread


def _append_lines(path: Path, target: BinaryIO) -> bool:
    """Append a file to `target`; return False, with `target` unchanged, if its gzip data are broken."""
    end = target.tell()
    try:
        with opened(path) as source:
            shutil.copyfileobj(source, target)
    except GZIP_FAULTS:
        target.seek(end)
        target.truncate()
        return False
    target.write(b"\n")
    return True


def load_predictions(
    engine: Any, lines: Path, model: str, version: int, window: tuple[datetime, datetime],
    columns: Sequence[ColumnProfile], missing_values: Sequence[str],
) -> int:  # fmt: skip
    """Create the table `live` in DuckDB: one row per prediction of the version in the window.

    Its columns: `c0`, `c1` ... are the texts of `columns`, `has0`, `has1` ... whether the request held that column,
    `masked0`, `masked1` ... whether its value is hidden, `numeric0`, `numeric1` ... whether it is a JSON number, and
    `sure` is the largest probability. A prediction that was delivered twice counts once. Lines that are not JSON, and
    those of a shadow version, are skipped.

    Parameters
    ----------
    engine : DuckDB connection
    lines : file of `download_captures`
    missing_values : texts that mean a missing value, as in training

    Returns
    -------
    the number of rows
    """
    pointers = [literal(json_pointer("instance", column.name)) for column in columns]
    texts = ", ".join(
        f"{stripped_sql(f'texts[{n + 1}]', missing_texts_of(column, missing_values))} AS c{n},"
        f" json_exists(json, {pointer}) AS has{n},"
        f" coalesce(list_contains(masked, {literal(column.name)}), false) AS masked{n},"
        f" coalesce(json_type(json, {pointer}) IN ('DOUBLE', 'BIGINT', 'UBIGINT', 'HUGEINT'), false) AS numeric{n}"
        for n, (column, pointer) in enumerate(zip(columns, pointers, strict=True))
    )
    engine.execute(
        f"""CREATE TABLE live AS SELECT list_max(map_values(try_cast(probabilities AS MAP(VARCHAR, DOUBLE)))) AS sure,
              {texts}
            FROM (SELECT json, json_extract(json, '$.probabilities') AS probabilities,
                    try_cast(json -> '$.masked' AS VARCHAR[]) AS masked,
                    json_extract_string(json, [{", ".join(pointers)}]) AS texts
                  FROM ({json_lines([lines])})
                  WHERE json ->> '$.shadow' IS NULL AND json ->> '$.model' = $1
                    AND try_cast(json ->> '$.version' AS INTEGER) = $2
                    AND try_cast(json ->> '$.at' AS TIMESTAMPTZ) BETWEEN $3 AND $4
                  QUALIFY row_number() OVER (PARTITION BY json ->> '$.prediction_id') = 1)""",
        [model, version, *window],
    )
    rows: int = engine.execute("SELECT count(*) FROM live").fetchone()[0]
    return rows


def was_sent(engine: Any, position: int) -> bool:
    """Return whether any request held the column at `position` of `columns`."""
    sent: bool = engine.execute(f"SELECT bool_or(has{position}) FROM live").fetchone()[0]
    return sent


def missing_share_if_masked(engine: Any, position: int) -> float | None:
    """Return the share of missing values of a column some of whose values are masked; None for any other column."""
    masked, missing = engine.execute(
        f"SELECT bool_or(masked{position}), avg((c{position} IS NULL)::INTEGER) FROM live"
    ).fetchone()
    return float(missing) if masked else None


def live_values(engine: Any, position: int, profile: ColumnProfile) -> Values:
    """Return the live values (n,) of a column, typed as in training; a value of another type counts as missing.

    Texts are grouped: their order is not that of the requests.
    """
    text = f"c{position}"
    if profile.type == "text":
        counts = engine.execute(f"SELECT {text}, count(*) FROM live GROUP BY ALL ORDER BY ALL").fetchall()
        levels = [level for level, _ in counts if level is not None]
        codes = np.arange(len(counts), dtype=np.int32)
        codes[[level is None for level, _ in counts]] = -1
        return Texts(np.repeat(codes, [count for _, count in counts]), levels)
    if profile.type == "boolean":
        true, false = (*profile.true, "true"), (*profile.false, "false")
        number = f"CASE WHEN lower({text}) IN {true} THEN 1.0 WHEN lower({text}) IN {false} THEN 0.0 END"
    elif profile.type == "number":  # a client sends JSON numbers, or texts as the data write them
        number = f"CASE WHEN numeric{position} THEN try_cast({text} AS DOUBLE) ELSE {parsed_sql(profile, text)} END"
    else:
        number = parsed_sql(profile, text)
    kind = "FLOAT" if profile.type == "number" else "DOUBLE"  # training rounds numbers to float32; so its bins fit
    values = engine.execute(f"SELECT ({number})::{kind} AS v FROM live").fetchnumpy()["v"]
    return np.ma.filled(values, np.nan)
