"""Preprocess: every row is kept, quarantined or a duplicate; types come from the values; the split is stable."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.faults import BadData, BadPipeline, Fault, TargetUnusable
from modelcycle.messages import Preprocessed
from modelcycle.model.columns import Texts
from modelcycle.model.profile import Profile
from tests.unit.data_steps import Workspace, table, workspace_with

ROOT = Path(__file__).parents[2]


def uniform(seed: int = 0) -> Any:
    numbers = random.Random(seed)
    return lambda row: round(numbers.uniform(-1, 1), 6)


def preprocessed(text: str, **pipeline: Any) -> tuple[Workspace, Preprocessed]:
    workspace = Workspace()
    workspace.data.upload("raw/m/a.csv", text.encode())
    return workspace, workspace.preprocess(workspace.run(**({"target": "y"} | pipeline)))


def typed(values: Any, **pipeline: Any) -> Any:
    """Return the column that is inferred from these values, and its typed training values."""
    workspace, result = preprocessed(table(400, c=values, x=uniform(), y=["a", "b"]), **pipeline)
    return workspace.schema(result).column("c"), workspace.columns(result.train).values["c"]


def test_adult() -> None:
    workspace, run = workspace_with(target="income", a__csv__gz=(ROOT / "examples/data/adult.csv.gz").read_bytes())
    result = workspace.preprocess(run)
    assert (result.task, result.rows, result.kept, result.quarantined, result.duplicates) == (
        "binary",
        32_561,
        32_561,
        0,
        0,
    )
    assert result.split == (24_420, 4_071, 4_070)
    assert result.notes == []
    schema = workspace.schema(result)
    assert schema.classes == ["<=50K", ">50K"]
    assert {c.name for c in schema.columns if c.type == "text"} == {
        "workclass", "education", "marital_status", "occupation", "relationship", "race", "sex", "native_country",
    }  # fmt: skip
    train = workspace.columns(result.train)
    assert train.rows == 24_420
    assert train.target is not None
    assert train.target.dtype == np.int32
    assert 0.2 < train.target.mean() < 0.28
    assert list(workspace.columns(result.test_labels).values) == ["cluster"]
    assert workspace.columns(result.test_features).target is None


def test_bikeshare() -> None:
    workspace, run = workspace_with(target="bikers", a__csv__gz=(ROOT / "examples/data/bikeshare.csv.gz").read_bytes())
    result = workspace.preprocess(run)
    assert (result.task, result.kept, result.split) == ("regression", 8_645, (6_482, 1_081, 1_082))
    assert result.notes == []


@pytest.mark.parametrize(
    ("name", "task", "classes"), [("iris", "multiclass", 3), ("wine", "multiclass", 3), ("breast_cancer", "binary", 2)]
)
def test_well_known_data_sets(name: str, task: str, classes: int) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame
    workspace, result = preprocessed(frame.to_csv(index=False), target="target")
    assert (result.task, len(workspace.schema(result).classes)) == (task, classes)


@pytest.mark.parametrize(
    ("values", "kind", "format_"),
    [
        (["1", " 2 ", "+3.5", "-.5", "1e3", "", "NA"], "number", ""),
        (["yes", "No", "?"], "boolean", ""),
        (["0", "1"], "number", ""),
        (["T", "f"], "boolean", ""),
        (["N", "Y", "X"], "text", ""),
        (["1,5", "2,5"], "number", "1234,56"),
        (["1_000"], "text", ""),
        (["inf", "1"], "number", ""),
        (["2024-01-31", "2024-01-31T14:05:00Z"], "datetime", "iso"),
        (["01/02/2024", "13/02/2024"], "datetime", "%d/%m/%Y"),
        (["01/02/2024", "01/13/2024"], "datetime", "%m/%d/%Y"),
        (["01/02/2024", "02/03/2024"], "datetime", "%m/%d/%Y"),
        (["31.12.2024 23:59"], "datetime", "%d.%m.%Y %H:%M"),
        (["a", "1", "2"], "text", ""),
        ([""], "text", ""),
    ],
)
def test_types_are_inferred_from_the_values(values: list[str], kind: str, format_: str) -> None:
    column, _ = typed(values)
    assert (column.type, column.format) == (kind, format_)


def test_values_are_typed_and_missing_ones_are_nan() -> None:
    _, numbers = typed(["1.5", "NA", " 2 "])
    assert numbers.dtype == np.float32
    assert set(np.unique(numbers[~np.isnan(numbers)])) == {1.5, 2.0}
    assert 0.2 < np.isnan(numbers).mean() < 0.5
    _, words = typed(["Yes", "no", ""])
    assert set(np.unique(words[~np.isnan(words)])) == {0.0, 1.0}
    _, texts = typed([" a b ", "?", "é"])
    assert isinstance(texts, Texts)
    assert texts.levels == ["a b", "é"]
    assert (texts.codes == -1).any()
    _, moments = typed(["1970-01-02"])
    assert set(moments) == {86400.0}


def test_the_pipeline_file_may_declare_a_type() -> None:
    assert typed(["1", "2"], features={"categorical": ["c"]})[0].type == "text"
    assert typed(["1", "2", "3", "4", "5", "x"], features={"numeric": ["c"]})[0].type == "number"


def test_a_value_that_does_not_parse_is_missing_and_quarantined_with_file_row_column_and_text() -> None:
    rows = table(
        400, c=lambda row: "oops" if row == 6 else row, x=uniform(), y=lambda row: "" if row == 9 else "ab"[row % 2]
    )
    workspace, result = preprocessed(rows)
    assert (result.kept, result.quarantined, result.cells) == (399, 1, 1)
    assert workspace.parquet(result.quarantine) == [
        ("cell", "raw/m/a.csv", 7, "c", "not a finite number", "oops", 8),
        ("row", "raw/m/a.csv", 10, "y", "the target is missing", None, 11),
    ]  # fmt: skip
    assert result.quarantine_reasons == {"the target is missing (y)": 1}
    assert result.cell_reasons == {"not a finite number (c)": 1}


def test_of_a_hundredth_of_broken_cells_exactly_those_are_in_quarantine() -> None:
    broken = random.Random(0)
    columns: dict[str, Any] = {
        "n": lambda row: row * 0.37, "euro": lambda row: f"{row},{row % 90 + 10} €", "flag": ["yes", "no"],
        "day": lambda row: f"{row % 28 + 1}.{row % 12 + 1}.2024", "at": lambda row: f"{row % 24}:{row % 60:02d}",
    }  # fmt: skip
    cells = {(broken.randrange(1000), name) for name in columns for _ in range(10)}

    def spoilt(name: str) -> Any:
        values = columns[name]
        return lambda row: (
            f"broken{row}" if (row, name) in cells else values(row) if callable(values) else values[row % 2]
        )

    workspace, result = preprocessed(table(1000, **{name: spoilt(name) for name in columns}, y=["a", "b", "a"]))
    quarantine = workspace.parquet(result.quarantine)
    assert {(row - 1, column) for _, _, row, column, *_ in quarantine} == cells
    assert all(text == f"broken{row - 1}" for _, _, row, _, _, text, _ in quarantine)
    assert (result.kept, result.quarantined, result.cells) == (1000, 0, len(cells))


def test_quarantined_rows_and_cells_are_counted_by_reason() -> None:
    rows = table(
        400, t=lambda row: "" if row < 30 else f"2024-01-{row % 28 + 1:02d}", x=uniform(),
        c=lambda row: "1e99" if 40 <= row < 45 else row + 0.5, d=lambda row: "?!" if 43 <= row < 53 else row + 0.5,
        y=lambda row: "" if row < 20 else "ab"[row % 2],
    )  # fmt: skip
    _, result = preprocessed(rows, time_column="t", features={"numeric": ["c", "d"]})
    assert list(result.quarantine_reasons.items()) == [
        ("the time is missing (t)", 30), ("the target is missing (y)", 20),
    ]  # fmt: skip
    assert list(result.cell_reasons.items()) == [("not a finite number (d)", 10), ("not a finite number (c)", 5)]
    assert (result.quarantined, result.cells) == (30, 15)
    assert preprocessed(table(400, x=uniform(), y=["a", "b"]))[1].quarantine_reasons == {}


@pytest.mark.parametrize("text", ["inf", "-1e39", "1e400", "high", "n/a"])
def test_a_row_whose_target_is_no_finite_number_lacks_a_target(text: str) -> None:
    _, result = preprocessed(table(400, x=uniform(), y=lambda row: row + 0.5 if row % 20 else text))
    assert (result.task, result.kept, result.quarantined) == ("regression", 380, 20)
    assert any(f"20 cells are missing: {text!r} (20)" in note for note in result.notes)


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["no", "no", "yes"], "binary", ["no", "yes"]),
        (["yes", "yes", "no"], "binary", ["yes", "no"]),
        (["0", "1", "1"], "binary", ["1", "0"]),
        (["0", "1", "2"], "multiclass", ["0", "1", "2"]),
        (["1.0", "2.0", "3.0"], "multiclass", ["1", "2", "3"]),
        (["2", "3", "4"], "regression", []),
        (["0", "1", "3"], "regression", []),
        (["0.5", "1", "3"], "regression", []),
        (["b", "a", "c"], "multiclass", ["a", "b", "c"]),
        (["Yes", "yes", "no"], "binary", ["true", "false"]),
    ],
)
def test_the_task_is_inferred_from_the_target(values: list[str], task: str, classes: list[str]) -> None:
    workspace, result = preprocessed(table(400, x=uniform(), y=values))
    assert (result.task, workspace.schema(result).classes) == (task, classes)


def test_the_pipeline_file_may_name_the_positive_class() -> None:
    workspace, result = preprocessed(table(400, x=uniform(), y=["no", "no", "yes"]), positive_class="no")
    assert workspace.schema(result).classes == ["yes", "no"]


few = table(20, x=uniform(), y=["a", "b"])
BAD: list[tuple[str, dict[str, Any], type[Fault], str]] = [
    (few, {}, BadData, "20 rows are too few"),
    (table(400, x=[1, 2], y=["a", "b"]), {"duplicates": "drop"}, BadData, "398 duplicates"),
    (table(400, x=uniform(), g=["u"], y=["a", "b"]), {"group_by": ["g"]}, BadData, "1 group by g"),
    (table(400, x=uniform(), g=["u", "v", "w"], y=["a", "b"]), {"group_by": ["g"]}, BadData, "3 groups by g"),
    (table(400, x=uniform(), g=lambda row: row // 10, y=lambda row: "ab"[row < 60]), {"group_by": ["g"]},
     TargetUnusable, "fewer than 8 groups of g: b (6)"),
    (table(60, x=uniform(), y=lambda row: f"k{row}"), {}, TargetUnusable, "fewer than 8 rows: k0 (1)"),
    (table(400, x=uniform(), y=lambda row: 1 if row < 40 else ""), {}, BadData,
     "360 quarantined; the target is missing (y) in 360"),
    (table(400, x=uniform(), y=lambda row: f"{row + 1}e200"), {}, TargetUnusable,
     "is beyond 3.4e38, the largest number of a model, in 400 of 400 rows"),
    (table(400, x=uniform(), y=lambda row: f"-{row + 1}e400"), {}, TargetUnusable, "in 400 of 400 rows"),
    (table(400, x=uniform(), y=["7.5"]), {}, TargetUnusable, "only one value, 7.5"),
    (table(400, x=uniform(), y=["0"]), {}, TargetUnusable, "only one value, 0"),
    (table(400, x=uniform(), y=["a"]), {}, TargetUnusable, "only one class, a"),
    (table(400, x=uniform(), y=["NA", ""]), {}, TargetUnusable, "only one class, NA"),
    (table(400, x=uniform(), y=["NA", ""]), {"missing_values": ["", "NA"]}, TargetUnusable, "is missing"),
    (table(400, x=uniform(), y=lambda row: f"k{row}"), {}, TargetUnusable, "400 classes; a model has at most 100"),
    (table(400, x=uniform(), y=lambda row: "rare" if row < 7 else "ab"[row % 2]), {}, TargetUnusable,
     "fewer than 8 rows: rare (7)"),
    (table(400, x=uniform(), y=["a", "b"]), {"task": "regression"}, TargetUnusable, "no numbers"),
    (table(400, x=uniform(), y=["1"]), {"task": "regression"}, TargetUnusable, "only one value, 1"),
    (table(400, x=uniform(), y=["a", "b", "c"]), {"task": "binary"}, TargetUnusable, "3 classes"),
    (table(400, x=uniform(), y=["a", "b"]), {"task": "multiclass"}, TargetUnusable, "2 classes"),
    (table(400, x=uniform(), y=["2024-01-01", "2024-01-02", "2024-01-03"]), {}, TargetUnusable, "date"),
    (table(400, x=uniform(), y=["a", "b"]), {"positive_class": "A"}, BadPipeline, "not a class"),
    (table(400, x=uniform(), y=["a", "b"]), {"time_column": "y", "task": "binary"}, BadPipeline, "no readable dates"),
    (table(400, x=uniform(), y=["a", "b"]), {"drop_columns": ["x"]}, BadData, "no column is left"),
    (table(400, x=uniform(), t=["u", "v"], y=["a", "b"]), {"features": {"numeric": ["t"]}}, BadData,
     "could not be read"),
    (table(400, x=uniform(), t=["2024-01-01", "2024-01-02"], y=["a", "b"]), {"time_column": "t"}, BadData,
     "2 different times; at least 3"),
    (table(400, x=uniform(), t=lambda row: f"2024-{row // 40 + 1:02d}-01", y=lambda row: "ab"[row > 300]),
     {"time_column": "t"}, BadData, "train part would get"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "pipeline", "kind", "words"), BAD)
def test_data_that_cannot_be_used_says_why_and_what_to_do(
    text: str, pipeline: dict[str, Any], kind: type[Fault], words: str
) -> None:
    with pytest.raises(kind) as caught:
        preprocessed(text, **pipeline)
    assert type(caught.value) is kind
    assert words in caught.value.what
    assert caught.value.where
    assert caught.value.remedy


@pytest.mark.parametrize(("target", "remedy"), [
    ("7.5", "add rows with other values"), ("a", "add rows of another class"), ("1e200", "write it in a larger unit"),
])  # fmt: skip
def test_a_remedy_fits_the_kind_of_target(target: str, remedy: str) -> None:
    with pytest.raises(TargetUnusable) as caught:
        preprocessed(table(400, x=uniform(), y=[target]))
    assert caught.value.remedy.startswith(remedy)


def test_columns_may_have_any_name() -> None:
    names = ["=1+1", 'a "quoted" b', "x/y.z", "'; DROP TABLE kept_rows; --", "é ü", "Y", "part", "row_id"]
    workspace, result = preprocessed(table(200, **{name: uniform(n) for n, name in enumerate(names)}, y=["a", "b"]))
    assert [c.name for c in workspace.schema(result).columns] == names
    assert list(workspace.columns(result.train).values) == names


def test_split_by_time_the_oldest_rows_train_and_equal_times_stay_together() -> None:
    workspace, result = preprocessed(
        table(800, x=uniform(), when=lambda row: f"2024-01-{row % 28 + 1:02d}", y=uniform(1)), time_column="when"
    )
    train, validation, test = (
        workspace.columns(a).values["when"] for a in (result.train, result.validation, result.test_features)
    )
    assert train.max() < validation.min()  # type: ignore[union-attr]
    assert validation.max() < test.min()  # type: ignore[union-attr]
    assert sum(result.split) == 800


@pytest.mark.parametrize("first", [1_000_000_001, 4_000_000_000, 1_700_000_000])
def test_a_time_column_of_whole_numbers_orders_the_rows_even_if_they_look_like_codes(first: int) -> None:
    workspace, result = preprocessed(table(400, x=uniform(), n=lambda row: first + row, y=["a", "b"]), time_column="n")
    assert workspace.schema(result).column("n").type in ("number", "datetime")
    train, test = (workspace.columns(part).values["n"] for part in (result.train, result.test_features))
    assert train.max() <= test.min()  # type: ignore[union-attr]


def test_the_training_table_has_no_text_that_occurs_only_in_other_rows() -> None:
    workspace, result = preprocessed(table(400, c=lambda row: f"only {row}", y=["a", "b"]))
    train, test = (workspace.columns(a).values["c"] for a in (result.train, result.test_features))
    assert isinstance(train, Texts)
    assert isinstance(test, Texts)
    assert not set(train.levels) & set(test.levels)


def test_the_profile_counts_the_training_rows() -> None:
    workspace, result = preprocessed(table(800, x=uniform(), c=["a", "b", "", "a"], b=["yes", "no"], y=["p", "q"]))
    profile = Profile.model_validate_json(workspace.artifacts.read(result.profile))
    train = workspace.columns(result.train)
    assert profile.rows == train.rows == result.split[0]
    for column in profile.columns:
        counts, missing = column.bin_counts(train.values[column.name])
        assert counts.tolist() == column.counts
        assert missing == column.missing
        assert sum(column.counts) + column.missing == train.rows
    x, c, b = profile.columns
    assert len(x.counts) == 10
    assert c.levels == ["a", "b"]
    assert b.edges == [0.5]
    assert sum(profile.target.counts) == train.rows


def test_the_same_rows_give_the_same_bytes_and_the_result_is_reused() -> None:
    text = table(500, x=uniform(), c=["a", "b", ""], y=["p", "q"])
    workspace, result = preprocessed(text)
    _, other = preprocessed(text)
    assert result == other
    assert workspace.preprocess(workspace.run("r2", target="y")) == result.model_copy(update={"cached": True})
    assert workspace.preprocess(workspace.run("r3", target="y", positive_class="p")).table != result.table


def test_a_wide_table_fits() -> None:
    names = [f"c{n}" for n in range(300)]
    workspace, result = preprocessed(
        table(120, **{name: uniform(n) if n % 2 else ["u", "v", ""] for n, name in enumerate(names)}, y=["a", "b"])
    )
    assert [c.type for c in workspace.schema(result).columns] == ["text", "number"] * 150
    train = workspace.columns(result.train)
    assert list(train.values) == names
    first = workspace.columns(result.test_features).values["c0"]
    assert isinstance(first, Texts)
    assert first.levels == ["u", "v"]


def test_rows_keep_their_order_and_their_target() -> None:
    workspace, result = preprocessed(
        table(3000, x=lambda row: row, c=lambda row: f"t{row % 7}", y=lambda row: "ab"[row % 2])
    )
    train = workspace.columns(result.train)
    x, c = train.values["x"], train.values["c"]
    assert isinstance(x, np.ndarray)
    assert isinstance(c, Texts)
    assert train.target is not None
    classes = workspace.schema(result).classes
    assert (np.diff(x) > 0).all()
    assert [classes[code] for code in train.target] == ["ab"[int(row) % 2] for row in x]
    assert list(c.strings()) == [f"t{int(row) % 7}" for row in x]


cells = st.sampled_from(["1", "2.5", "", "x", "NA", "yes", "2024-01-01", " 1 ", "1e999", '"', "-"])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(cells, cells, st.sampled_from(["a", "b", ""])), min_size=60, max_size=120))
def test_rows_in_are_kept_quarantined_or_duplicates(rows: list[tuple[str, str, str]]) -> None:
    import csv
    import io

    text = io.StringIO()
    csv.writer(text).writerows([("u", "v", "y"), *rows, *((n, n, "ab"[n % 2]) for n in range(100))])
    try:
        workspace, result = preprocessed(text.getvalue())
    except BadData:
        return
    assert result.rows == len(rows) + 100
    assert result.rows == result.kept + result.quarantined + result.duplicates
    assert sum(result.split) == result.kept
    quarantine = workspace.parquet(result.quarantine) if result.quarantine else []
    assert len({row for scope, _, row, *_ in quarantine if scope == "row"}) == result.quarantined
    assert len([scope for scope, *_ in quarantine if scope == "cell"]) == result.cells


def test_for_a_target_whose_numbers_are_written_in_two_ways_the_error_says_so() -> None:
    rows = table(300, x=uniform(), y=lambda row: f"{row * 37.5:,.2f}" if row % 2 else f"{row},5 €")
    with pytest.raises(TargetUnusable) as raised:
        preprocessed(rows)
    assert raised.value.remedy.startswith("write all its numbers in one way")


def test_a_class_that_was_taken_for_missing_is_named_and_can_be_kept() -> None:
    body = table(100, a=lambda row: row, y=["-", "+", "+"])
    workspace, run = workspace_with(a__csv=body)
    with pytest.raises(TargetUnusable, match=r"only one class, \+; 34 cells are missing: '-' \(34\)"):
        workspace.preprocess(run)
    kept = workspace.preprocess(workspace.run("r2", target="y", missing_values=[""]))
    assert sorted(workspace.schema(kept).classes) == ["+", "-"]


def test_the_profile_of_a_target_says_how_the_data_write_its_numbers() -> None:
    prices = [f"{number},{number % 97:02d}" for number in range(1_000, 1_400)]
    workspace, result = preprocessed(table(400, x=uniform(), y=prices, delimiter=";"))
    assert Profile.model_validate_json(workspace.artifacts.read(result.profile)).target.format == "1234,56"


def test_the_profile_of_a_target_says_which_texts_are_no_outcome() -> None:
    prices = ["-999" if number % 50 == 0 else f"{number},5" for number in range(1_000, 1_400)]
    body = table(400, x=uniform(), y=prices, delimiter=";")
    workspace, result = preprocessed(body, missing_values=["", "-999"])
    assert Profile.model_validate_json(workspace.artifacts.read(result.profile)).target.missing_values == ["-999"]
