"""The captured predictions of a window: from many small objects, or few large ones, to typed columns.

Firehose writes them under `captures/YYYY/MM/DD/HH/` (UTC, the hour in which a record arrived), at least once, packed
with gzip or not. All models share the objects.
"""

from __future__ import annotations

import gzip
import shutil
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from modelcycle.engine import literal
from modelcycle.faults import Transient
from modelcycle.model import dates
from modelcycle.model.columns import Texts, Values
from modelcycle.model.profile import ColumnProfile
from modelcycle.model.values import stripped_sql
from modelcycle.store import Listed, Store

MOST_OBJECTS = 5_000
MOST_BYTES = 256 * 2**20  # as they lie in the bucket
AT_ONCE = 8  # downloads; each is mostly waiting
LONGEST_LINE = 8 * 2**20


def listed(data: Store, start: datetime, end: datetime) -> tuple[list[Listed], bool]:
    """The objects that may hold predictions of the window, newest first, and whether older ones were left out."""
    found: list[Listed] = []
    size = 0
    hour = end.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)  # Firehose delivers late
    while hour >= start.replace(minute=0, second=0, microsecond=0):
        for one in reversed(list(data.list(f"captures/{hour:%Y/%m/%d/%H}/"))):
            if one.key.endswith("/"):
                continue
            if len(found) >= MOST_OBJECTS or size + one.bytes > MOST_BYTES:
                return found, True
            found.append(one)
            size += one.bytes
        hour -= timedelta(hours=1)
    return found, False


def gathered(data: Store, objects: Sequence[Listed], folder: Path) -> tuple[Path, int]:
    """All lines of the objects in one file, and how many objects could not be read (broken, or gone meanwhile)."""
    lines = folder / "captures.jsonl"
    unread = 0

    def download(numbered: tuple[int, Listed]) -> Path | None:
        path = folder / f"capture-{numbered[0]}"
        try:
            data.download(numbered[1], path)
        except Transient:
            return None
        return path

    with lines.open("wb") as target, ThreadPoolExecutor(AT_ONCE) as pool:
        for batch in _batches(list(enumerate(objects)), 200):
            for path in pool.map(download, batch):
                unread += path is None or not _appended(path, target)
                if path:
                    path.unlink()
    return lines, unread


def _batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _appended(path: Path, target: Any) -> bool:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    begun = target.tell()
    try:
        with gzip.open(path) if packed else path.open("rb") as source:
            shutil.copyfileobj(source, target)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        target.seek(begun)
        target.truncate()
        return False
    target.write(b"\n")
    return True


def read(
    engine: Any, lines: Path, model: str, version: int, window: tuple[datetime, datetime],
    columns: Sequence[ColumnProfile], missing: Sequence[str],
) -> int:  # fmt: skip
    """Make the table `live`: one row a prediction of this version in this window; returns its rows.

    `c0`, `c1` ... are the columns' texts, `has0` ... whether the request held the column, `sure` the largest
    probability. A prediction that was delivered twice counts once; a line that is no JSON, or odd bytes, are passed
    over.
    """
    pointers = [literal("/instance/" + c.name.replace("~", "~0").replace("/", "~1")) for c in columns]
    texts = ", ".join(
        f"{stripped_sql(f'texts[{n + 1}]', missing)} AS c{n}, json_exists(json, {pointer}) AS has{n}"
        for n, pointer in enumerate(pointers)
    )
    engine.execute(
        f"""CREATE TABLE live AS SELECT list_max(map_values(try_cast(probabilities AS MAP(VARCHAR, DOUBLE)))) AS sure,
              {texts}
            FROM (SELECT json, json_extract(json, '$.probabilities') AS probabilities,
                    json_extract_string(json, [{", ".join(pointers)}]) AS texts
                  FROM (SELECT try_cast(line AS JSON) AS json FROM read_csv({literal(lines)},
                          columns = {{'line': 'VARCHAR'}}, delim = '', quote = '', escape = '', header = false,
                          auto_detect = false, ignore_errors = true, max_line_size = {LONGEST_LINE},
                          buffer_size = {LONGEST_LINE * 4}))
                  WHERE json ->> '$.model' = $1 AND try_cast(json ->> '$.version' AS INTEGER) = $2
                    AND try_cast(json ->> '$.at' AS TIMESTAMPTZ) BETWEEN $3 AND $4
                  QUALIFY row_number() OVER (PARTITION BY json ->> '$.prediction_id') = 1)""",
        [model, version, *window],
    )
    rows: int = engine.execute("SELECT count(*) FROM live").fetchone()[0]
    return rows


def sent(engine: Any, number: int) -> bool:
    """Whether any request held the column."""
    found: bool = engine.execute(f"SELECT bool_or(has{number}) FROM live").fetchone()[0]
    return found


def values(engine: Any, number: int, column: ColumnProfile) -> Values:
    """A column's live values, typed as its profile is; a value of another type counts as missing."""
    place = f"c{number}"
    if column.type == "text":
        counted = engine.execute(f"SELECT {place}, count(*) FROM live GROUP BY ALL ORDER BY ALL").fetchall()
        levels = [text for text, _ in counted if text is not None]
        codes = np.arange(len(counted), dtype=np.int32)
        codes[[text is None for text, _ in counted]] = -1
        return Texts(np.repeat(codes, [count for _, count in counted]), levels)
    if column.type == "boolean":
        words = (*column.true, "true"), (*column.false, "false")
        number_of = f"CASE WHEN lower({place}) IN {words[0]} THEN 1.0 WHEN lower({place}) IN {words[1]} THEN 0.0 END"
    elif column.type == "datetime":
        number_of = dates.sql(place, column.format)
    else:
        number_of = f"try_cast({place} AS DOUBLE)"
    kind = "FLOAT" if column.type == "number" else "DOUBLE"  # as training rounded them, so that edges hold
    found = engine.execute(f"SELECT ({number_of})::{kind} AS v FROM live").fetchnumpy()["v"]
    return np.ma.filled(found, np.nan)
