"""A request is either read, or each wrong field is named."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.faults import BadRequest
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.fields import Field
from modelcycle.model.plan import Input
from modelcycle.model.signature import Signature

SLASHED = "a/b~c"
SIGNATURE = Signature(
    model="m", task="regression", target="t", classes=[],
    fields=[
        Field(name=SLASHED, type="number"),
        Field(name="colour", type="text"),
        Field(name="member", type="boolean", true=["yes", "1"], false=["no", "0"]),
    ],
    ignored=["id"], missing_values=["", "?"], id_columns=["id"],
    inputs=[
        Input(name="x0", column=SLASHED, kind="number"),
        Input(name="x1", column="colour", kind="text"),
        Input(name="x2", column="member", kind="number"),
    ],
)  # fmt: skip
GOOD = {SLASHED: 1.5, "colour": "red", "member": True}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


def refused(instances: Any) -> list[dict[str, str]]:
    with pytest.raises(BadRequest) as caught:
        SIGNATURE.read(instances)
    return caught.value.errors


def test_a_row_is_read_and_encoded() -> None:
    encoded = SIGNATURE.encode(SIGNATURE.read([GOOD, {SLASHED: None, "colour": None, "member": None}]))
    assert encoded["x0"].tolist()[0] == [1.5] and math.isnan(encoded["x0"][1, 0])
    assert encoded["x1"].tolist() == [["red"], [""]]
    assert encoded["x2"].tolist()[0] == [1.0] and encoded["x2"].dtype == np.float32


@pytest.mark.parametrize(
    ("change", "pointer", "detail"),
    [
        ({SLASHED: "forty"}, "/instances/0/a~1b~0c", "a number is expected, got 'forty'"),
        ({SLASHED: True}, "/instances/0/a~1b~0c", "a number is expected, got True"),
        ({SLASHED: 1e39}, "/instances/0/a~1b~0c", "too large"),
        ({SLASHED: 10**400}, "/instances/0/a~1b~0c", "too large"),
        ({SLASHED: float("nan")}, "/instances/0/a~1b~0c", "too large"),
        ({"colour": 3}, "/instances/0/colour", "a text is expected, got 3"),
        ({"colour": "\ud800"}, "/instances/0/colour", "surrogate"),
        ({"member": "maybe"}, "/instances/0/member", "true or false is expected, got 'maybe'"),
        ({"member": 2}, "/instances/0/member", "true or false is expected, got 2"),
        ({"age": 3}, "/instances/0/age", "m has no such column"),
    ],
)
def test_a_wrong_field_is_named(change: dict[str, Any], pointer: str, detail: str) -> None:
    (error,) = refused([GOOD | change])
    assert error["pointer"] == pointer and detail in error["detail"]


def test_an_absent_field_is_named_and_null_is_a_missing_value() -> None:
    (error,) = refused([{SLASHED: 1, "colour": None}])
    assert error == {"pointer": "/instances/0/member", "detail": "the column is missing; send null for a missing value"}


def test_texts_that_mean_a_missing_value_are_read_as_in_training() -> None:
    columns = SIGNATURE.read([GOOD | {"colour": " ? "}, GOOD | {SLASHED: ""}])
    assert isinstance(columns.values["colour"], Texts) and columns.values["colour"].codes[0] == -1
    assert np.isnan(columns.values[SLASHED][1])  # type: ignore[index]


def test_booleans_may_be_written_as_in_the_data() -> None:
    read = SIGNATURE.read([GOOD | {"member": value} for value in ("YES", 1, "0", False)])
    assert read.values["member"].tolist() == [1, 1, 0, 0]  # type: ignore[union-attr]


def test_at_most_twenty_errors_are_named() -> None:
    assert len(refused([{}] * 500)) == 20
    assert len(refused([GOOD | {SLASHED: "x"}] * 500)) == 20


@pytest.mark.parametrize("instances", [None, [], {}, "rows", 3, [1], [[]], [None]])
def test_anything_but_a_list_of_rows_is_refused(instances: Any) -> None:
    assert refused(instances)[0]["pointer"].startswith("/instances")


rows = st.fixed_dictionaries({SLASHED: json_values, "colour": json_values, "member": json_values},
                             optional={"id": json_values, "other": json_values})  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(rows, max_size=4) | json_values)
def test_any_json_is_read_or_refused(instances: Any) -> None:
    try:
        columns = SIGNATURE.read(instances)
    except BadRequest as fault:
        assert fault.errors and len(str(fault)) < 2000
        return
    encoded = SIGNATURE.encode(columns)
    assert {values.shape for values in encoded.values()} == {(len(instances), 1)}


TYPED = Signature(
    model="m", task="regression", target="t", classes=[], ignored=[], inputs=[], missing_values=[""],
    fields=[Field(name="n", type="number"), Field(name="b", type="boolean"), Field(name="s", type="text")],
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False),
            st.none() | st.booleans(),
            st.none() | st.text(min_size=1).filter(lambda text: text.strip() == text and text.isprintable()),
        ),
        min_size=1,
    )
)
def test_typed_rows_are_unchanged_after_json(cells: list[tuple[Any, Any, Any]]) -> None:
    number, boolean, text = zip(*cells, strict=True)
    columns = Columns({
        "n": np.array([np.nan if v is None else v for v in number], dtype=np.float32),
        "b": np.array([np.nan if v is None else v for v in boolean], dtype=np.float32),
        "s": Texts.of(list(text)),
    })  # fmt: skip
    again = TYPED.read(json.loads(json.dumps(TYPED.instances(columns))))
    for name in ("n", "b"):
        np.testing.assert_array_equal(again.values[name], columns.values[name])  # type: ignore[arg-type]
    assert again.values["s"].strings().tolist() == list(columns.values["s"].strings())  # type: ignore[union-attr]


@pytest.mark.parametrize("text", ["", "  ", "?", " ?\u3000", "n/a", "\tn/a "])
def test_a_missing_token_is_missing_whatever_blanks_are_around_it_or_around_the_token(text: str) -> None:
    signature = SIGNATURE.model_copy(update={"missing_values": ["?", " n/a "]})
    columns = signature.read([dict.fromkeys(GOOD, text)])
    assert all(np.isnan(columns.values[name]).all() for name in (SLASHED, "member"))  # type: ignore[arg-type]
    assert columns.values["colour"].codes.tolist() == [-1]  # type: ignore[union-attr]


def test_columns_of_another_type_do_not_fit() -> None:
    assert SIGNATURE.fits(SIGNATURE.read([GOOD]))
    assert not SIGNATURE.fits(Columns({SLASHED: Texts.of(["1"])}))


def test_a_number_does_not_fit_a_date() -> None:
    signature = TYPED.model_copy(update={
        "fields": [Field(name="d", type="datetime", format="iso")], "inputs": [Input(name="x0", column="d",
        kind="number", part="year")],
    })  # fmt: skip
    assert signature.fits(Columns({"d": np.array([0.0], dtype=np.float64)}))
    assert not signature.fits(Columns({"d": np.array([2011.0], dtype=np.float32)}))


@pytest.mark.parametrize("date_format", ["iso", "%d/%m/%Y", "%Y-%m-%d %H:%M"])
def test_dates_are_unchanged_after_json(date_format: str) -> None:
    signature = TYPED.model_copy(update={"fields": [Field(name="d", type="datetime", format=date_format)]})
    year_999, year_1, year_9999 = -30_641_760_000.0, -62_135_596_800.0, 253_402_214_400.0
    moments = [-86400.0 * 400, np.nan, 0.0, 86400.0 * 15_000, year_999, year_1, year_9999]
    days = np.array(moments, dtype=np.float64)
    again = signature.read(signature.instances(Columns({"d": days})))
    np.testing.assert_array_equal(again.values["d"], days)  # type: ignore[arg-type]
