"""The answered rows of a window, read from captured objects that nobody has compacted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from modelcycle.captured import download, hourly, json_lines, newest
from modelcycle.engine import Engine
from modelcycle.json_pointer import json_pointer
from modelcycle.sql_literal import literal
from modelcycle.store import Store
from modelcycle.summarize.traffic import Cell, Traffic


def open_traffic(
    engine: Engine, data: Store, model: str, window: tuple[datetime, datetime], names: Sequence[str],
    classes: Sequence[str], folder: Path,
) -> Traffic:  # fmt: skip
    """Create the table `answered` of the window's rows; see `Traffic`."""
    objects = newest(hourly(data, [f"captures/model={model}", "captures"], *window), 5000, 256 * 2**20)
    files, unread = download(data, objects.objects, folder / "captures")
    pointers = [literal(json_pointer("instance", name)) for name in names]
    cells = ", ".join(
        f"texts[{n + 1}] AS text{n}, json_exists(json, {pointer}) AS sent{n}, CASE WHEN json_type(json, {pointer}) IN"
        f" ('DOUBLE', 'BIGINT', 'UBIGINT', 'HUGEINT') THEN try_cast(texts[{n + 1}] AS DOUBLE) END AS number{n},"
        f" coalesce(list_contains(masked, {literal(names[n])}), false) AS masked{n}"
        for n, pointer in enumerate(pointers)
    )
    engine.execute(
        f"""CREATE TABLE answered AS SELECT prediction_id, "at", version, assigned, ms, "of", prediction, probabilities
              {", " + cells if cells else ""}
            FROM (SELECT json, json ->> '$.prediction_id' AS prediction_id,
                    try_cast(json ->> '$.at' AS TIMESTAMPTZ) AS "at",
                    try_cast(json ->> '$.version' AS INTEGER) AS version,
                    try_cast(json ->> '$.assigned' AS INTEGER) AS assigned, try_cast(json ->> '$.ms' AS DOUBLE) AS ms,
                    try_cast(json ->> '$.of' AS INTEGER) AS "of", json ->> '$.prediction' AS prediction,
                    try_cast(json_extract(json, '$.probabilities') AS MAP(VARCHAR, DOUBLE)) AS probabilities,
                    try_cast(json -> '$.masked' AS VARCHAR[]) AS masked,
                    json_extract_string(json, [{", ".join(pointers)}]) AS texts
                  FROM ({json_lines(files)})
                  WHERE json ->> '$.shadow' IS NULL AND json ->> '$.model' = $1
                  QUALIFY row_number() OVER (PARTITION BY json ->> '$.prediction_id') = 1)
            WHERE "at" >= $2 AND "at" < $3 AND version IS NOT NULL""",
        [model, *window],
    )
    held = [engine.execute(f"SELECT bool_or(sent{n}) FROM answered").fetchone()[0] for n in range(len(names))]
    notes = [f"{unread:,} captured objects could not be read"] if unread else []
    if objects.left_out:
        notes.append("the oldest captured objects of the window were left out: there are too many")
    return Traffic(
        engine, "answered",
        {
            name: Cell(f"text{n}", f"number{n}", f"sent{n}", f"masked{n}")
            for n, name in enumerate(names) if held[n]
        },
        {name: f"probabilities[{literal(name)}]" for name in classes},
        tuple(notes),
    )  # fmt: skip
