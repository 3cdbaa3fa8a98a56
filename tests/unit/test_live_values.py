"""Live values of a column in another spelling: a JSON number is itself, a text is read as in training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from modelcycle.captured import Cell
from modelcycle.cells.reading import ColumnType
from modelcycle.engine import connect
from modelcycle.model.profile import ColumnProfile
from modelcycle.summarize.traffic import MISSING, UNPARSED, VALUE, typed_rows


@pytest.mark.parametrize(
    ("kind", "format_", "sent", "read"),
    [
        ("number", "1.234,56", ["1.234", 1.234, "1.234,5 €", "n/a", None], [1234.0, 1.234, 1234.5, MISSING, MISSING]),
        ("number", "clock", ["14:05", 60, "later"], [50700.0, 60.0, UNPARSED]),
        ("number", "", ["1.5", 25, "1,5", 1e39], [1.5, 25.0, UNPARSED, UNPARSED]),
        ("datetime", "epoch_ms", [1706709900000, "1706709900000", "never"], [1706709900.0, 1706709900.0, UNPARSED]),
    ],
)
def test_a_live_value_is_read_as_in_training(
    kind: ColumnType, format_: str, sent: list[object], read: list[float], tmp_path: Path
) -> None:
    profile = ColumnProfile(name="c", type=kind, format=format_, rows=1, missing=0, distinct=1, counts=[1])
    texts = [value if isinstance(value, str) or value is None else json.dumps(value) for value in sent]
    numbers = [value if isinstance(value, int | float) else None for value in sent]
    with connect(tmp_path, "test", 1000) as engine:
        engine.execute(
            "CREATE TABLE sent AS SELECT unnest($1::VARCHAR[]) AS c, unnest($2::DOUBLE[]) AS n", [texts, numbers]
        )
        rows = typed_rows("sent", [(Cell("c", "n", "2"), profile)], [""], {})
        found = engine.execute(f"SELECT * FROM {rows}").fetchall()
    for (value, held), expected in zip(found, read, strict=True):
        if expected in (MISSING, UNPARSED):
            assert (value, held) == (None, expected)
        else:
            assert held == VALUE and value == pytest.approx(np.float32(expected), rel=1e-6)
