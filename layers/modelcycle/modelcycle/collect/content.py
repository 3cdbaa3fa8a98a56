"""One hash for the rows of a snapshot, whatever their order, their format and the source that gave them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelcycle.cells.canonical import canonical_sql, create_macros, trimmed_sql
from modelcycle.sql_literal import literal

SEPARATOR = "chr(31)"  # ASCII's unit separator
MISSING = "chr(30)"
LOW_HALF = 2**64 - 1


def content_hash(engine: Any, shards: Sequence[Path], names: Sequence[str]) -> str:
    """Return a hash of all rows: the multiset of their canonical values, by column name.

    Each row has an MD5 over its values in the order of the column names; the hash is that of the two sums of its
    halves, as whole numbers. So it needs one pass and no memory, and counts repeated rows.

    Parameters
    ----------
    shards : Parquet files with the columns `c0`, `c1` ..., all text
    names : of those columns

    Examples
    --------
    Two tables of the same rows: see `tests/unit/test_content.py`.
    """
    create_macros(engine)
    order = sorted(range(len(names)), key=lambda number: names[number])
    trimmed = ", ".join(f"{trimmed_sql(f'c{number}')} AS t{number}" for number in order)
    values = ", ".join(f"coalesce({canonical_sql(f't{number}')}, {MISSING})" for number in order)
    files = ", ".join(map(literal, shards))
    rows, low, high = engine.execute(
        f"""SELECT count(*), sum((hash & {LOW_HALF}::UHUGEINT)::HUGEINT), sum((hash >> 64)::HUGEINT)
            FROM (SELECT md5_number(concat_ws({SEPARATOR}, {values})) AS hash
                  FROM (SELECT {trimmed} FROM read_parquet([{files}])))"""
    ).fetchone()
    summary = [[names[number] for number in order], rows, str(low), str(high)]
    return hashlib.sha256(json.dumps(summary, ensure_ascii=False).encode()).hexdigest()
