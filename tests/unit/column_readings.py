"""Columns of texts, decided as `preprocess` does."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from modelcycle.column_types import Decided, create_clean_rows, decide_columns
from modelcycle.engine import connect


def decide(target: str = "y", **columns: list[str]) -> dict[str, Decided]:
    """Return what is decided about columns of equal length, by name."""
    names = dict(enumerate(columns))
    with TemporaryDirectory() as name, connect(Path(name), "test", 1000) as engine:
        texts = ", ".join(f"unnest(${number + 1}::VARCHAR[]) AS c{number}" for number in names)
        engine.execute(f"CREATE TABLE texts AS SELECT {texts}", list(columns.values()))
        shard = Path(name) / "shard.parquet"
        engine.execute(f"COPY (SELECT 0 AS file, row_number() OVER () AS row, * FROM texts) TO '{shard}'")
        create_clean_rows(engine, [shard], len(names), [""], Path(name))
        position = list(columns).index(target) if target in columns else -1
        decided = decide_columns(engine, names, {}, target=position, decide_missing=True)
    return {names[number]: decision for number, decision in decided.items()}


def decide_one(texts: list[Any], name: str = "c") -> Decided:
    """Return what is decided about one column that is not the target; `texts` are repeated to 400 rows."""
    return decide(**{name: [str(text) for text in (texts * (400 // len(texts) + 1))[: max(400, len(texts))]]})[name]
