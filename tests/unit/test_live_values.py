"""Live values of a column in another spelling: a JSON number is itself, a text is read as in training."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from modelcycle.cells.reading import ColumnType
from modelcycle.engine import connect
from modelcycle.model.profile import ColumnProfile
from modelcycle.monitor.captures import live_values, load_predictions

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "format_", "sent", "read"),
    [
        ("number", "1.234,56", ["1.234", 1.234, "1.234,5 €", "n/a", None], [1234.0, 1.234, 1234.5, np.nan, np.nan]),
        ("number", "clock", ["14:05", 60, "later"], [50700.0, 60.0, np.nan]),
        ("number", "", ["1.5", 2, "1,5"], [1.5, 2.0, np.nan]),
        ("datetime", "epoch_ms", [1706709900000, "1706709900000"], [1706709900.0, 1706709900.0]),
    ],
)
def test_a_live_value_is_read_as_in_training(
    kind: ColumnType, format_: str, sent: list[object], read: list[float], tmp_path: Path
) -> None:
    lines = tmp_path / "lines"
    captured = (
        {"model": "m", "version": 1, "at": NOW.isoformat(), "prediction_id": str(number), "instance": {"c": value}}
        for number, value in enumerate(sent)
    )
    lines.write_text("\n".join(json.dumps(line) for line in captured))
    profile = ColumnProfile(name="c", type=kind, format=format_, rows=1, missing=0, distinct=1, counts=[1])
    with connect(tmp_path, "test", 1000) as engine:
        window = (NOW - timedelta(hours=1), NOW + timedelta(hours=1))
        assert load_predictions(engine, lines, "m", 1, window, [profile], [""]) == len(sent)
        values = live_values(engine, 0, profile)
    assert isinstance(values, np.ndarray)
    order = [value for value in sorted(read) if not np.isnan(value)]
    assert np.sort(values[~np.isnan(values)]).tolist() == pytest.approx(order)
    assert np.isnan(values).sum() == np.isnan(read).sum()
