"""Texts of the training rows, in whatever spelling, enter the graph of serving with the same bits as in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench.reading_columns import make_column
from bench.reading_kinds import KINDS
from modelcycle.cells.missing import USUAL
from modelcycle.engineer_features.feature_plan import plan_features
from modelcycle.model.columns import missing_mask
from modelcycle.model.fields import Field
from modelcycle.spec import Pipeline
from tests.unit.data_steps import Workspace, table
from tests.unit.test_one_reading import signature_of


@pytest.mark.parametrize("number", [0, 1, 3])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "class words"])
def test_training_and_serving_read_the_same(kind: str, number: int) -> None:
    texts = make_column(kind, number, seed=11).texts[:300]
    if len(set(texts)) < 2:
        pytest.skip("constant")
    rows = table(len(texts), n=lambda row: row, c=texts, y=["a", "b"])
    workspace = Workspace()
    workspace.data.upload("raw/m/a.csv", rows.encode())
    # some kinds are addresses, which are not stored by default
    result = workspace.preprocess(workspace.run(target="y", privacy={"detected": "tell"}))
    schema, train = workspace.schema(result), workspace.columns(result.train)
    signature = signature_of(schema, train, Pipeline(name="m", target="y"))
    field = next(field for field in signature.fields if field.name == "c")
    encoded = signature.encode(train)
    rows_of_part = train.values["n"].astype(int).tolist()  # type: ignore[union-attr]
    sent = [{"n": float(row), "c": as_sent(texts[row], field, missing)} for row, missing in zip(
        rows_of_part, missing_mask(train.values["c"]).tolist(), strict=True
    )]  # fmt: skip
    served = signature.encode(signature.read(sent))
    for name, training in encoded.items():
        same = training == served[name] if training.dtype == object else training.view("i4") == served[name].view("i4")
        assert np.all(same), [texts[rows_of_part[row]] for row in np.flatnonzero(~np.asarray(same).ravel())[:5]]


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (lambda row: f"€{row * 37.5:,.2f}", "are read as 1,234.56"),
        (lambda row: f"{row / 7:.1f} %", "52% is the number 52"),
        (lambda row: f"{row % 50:05d}", "leading zeros"), (lambda row: row / 7 if row % 10 else "n/a", "'n/a' (30)"),
    ],
)  # fmt: skip
def test_the_plan_and_the_screen_say_how_a_column_is_read(write: Any, words: str) -> None:
    workspace = Workspace()
    workspace.data.upload("raw/m/a.csv", table(300, c=write, x=lambda row: row % 17, y=["a", "b", "a"]).encode())
    result = workspace.preprocess(workspace.run(target="y"))
    plan = plan_features(workspace.schema(result), workspace.columns(result.train), Pipeline(name="m", target="y"))
    assert words in next(planned.why for planned in plan.columns if planned.column == "c")
    assert any(note.startswith("c: ") and words in note for note in result.notes)


def as_sent(text: str, field: Field, missing: bool) -> Any:
    """Return a cell as a client sends it; null where training found a text that is no value.

    Digits that need no format are a JSON number; a usual word for a missing value is sent as the data write it.
    """
    if missing:
        return text if text in USUAL else None
    return float(text) if field.type == "number" and not field.format else text
