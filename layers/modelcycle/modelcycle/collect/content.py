"""One hash for the rows of a snapshot, whatever their order, their format and the source that gave them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelcycle.collect.canonical import canonical_sql, create_macros
from modelcycle.sql_literal import literal

SEPARATOR = "chr(31)"  # ASCII's unit separator
MISSING = "chr(30)"


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
    values = ", ".join(f"coalesce({canonical_sql(f'c{number}')}, {MISSING})" for number in order)
    files = ", ".join(map(literal, shards))
    rows, low, high = engine.execute(
        f"""SELECT count(*), sum(md5_number_lower(text)::HUGEINT), sum(md5_number_upper(text)::HUGEINT)
            FROM (SELECT concat_ws({SEPARATOR}, {values}) AS text FROM read_parquet([{files}]))"""
    ).fetchone()
    summary = [[names[number] for number in order], rows, str(low), str(high)]
    return hashlib.sha256(json.dumps(summary, ensure_ascii=False).encode()).hexdigest()
