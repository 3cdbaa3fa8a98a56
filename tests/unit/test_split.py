"""Cases and the split: equal rows stay, what belongs together stays together, and classes are spread by their share."""

from __future__ import annotations

import io
import json
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.faults import Fault
from modelcycle.messages import Preprocessed
from modelcycle.model.columns import Texts
from tests.unit.data_steps import Workspace, table


def preprocessed(text: str, **pipeline: Any) -> tuple[Workspace, Preprocessed]:
    workspace = Workspace()
    workspace.data.upload("raw/m/a.csv", text.encode())
    return workspace, workspace.preprocess(workspace.run(**({"target": "y"} | pipeline)))


def arrays(workspace: Workspace, artifact: Any) -> dict[str, Any]:
    with np.load(io.BytesIO(workspace.artifacts.read(artifact)), allow_pickle=False) as stored:
        return dict(stored)


def column(workspace: Workspace, result: Preprocessed, name: str) -> list[Any]:
    """Return a column of training, validation and test rows."""
    values = []
    for artifact in (result.train, result.validation, result.test_features):
        stored = workspace.columns(artifact).values[name]
        values.append(stored.strings() if isinstance(stored, Texts) else stored)
    return values


def targets(workspace: Workspace, result: Preprocessed) -> list[Any]:
    return [workspace.columns(artifact).target for artifact in (result.train, result.validation, result.test_labels)]


def kind(workspace: Workspace, result: Preprocessed) -> str:
    read: str = json.loads(workspace.artifacts.read(result.case_recipe))["kind"]  # type: ignore[arg-type]
    return read


def normal(seed: int) -> Any:
    numbers = random.Random(seed)
    return lambda row: round(numbers.gauss(0, 1), 4)


def test_equal_rows_of_different_observations_are_kept_and_judged() -> None:
    coin = random.Random(1)
    rows = table(2200, a=["1", "2"], b=["x", "y", "z"], c=["u", "v", "w", "q", "r", "s", "t"][:2],
                 y=lambda row: "yes" if coin.random() < 0.1 else "no")  # fmt: skip
    workspace, result = preprocessed(rows)
    assert (result.kept, result.duplicates, result.cases, kind(workspace, result)) == (2200, 0, 2200, "row")
    assert result.notes == ["only 6 different rows of features: equal rows are split"]
    train, _, test = targets(workspace, result)
    assert abs(train.mean() - test.mean()) < 0.01
    assert len(set(workspace.columns(result.test_labels).values["cluster"])) == result.split[2]


def test_equal_rows_that_the_split_keeps_together_judge_together() -> None:
    """They are different observations, but drawn into the test part as one: intervals by row would be too narrow."""
    coin = random.Random(3)
    rows = table(3000, a=lambda row: row % 300, y=lambda row: "yes" if coin.random() < 0.4 else "no")
    workspace, result = preprocessed(rows)
    assert (result.cases, kind(workspace, result), result.notes) == (3000, "row", [])
    parts = [set(values) for values in column(workspace, result, "a")]
    assert not parts[0] & parts[1] | parts[1] & parts[2] | parts[0] & parts[2]
    clusters = workspace.columns(result.test_labels).values["cluster"]
    assert len(set(clusters)) == len(parts[2]) < result.split[2] / 5  # type: ignore[arg-type]


def test_copies_of_a_row_are_one_case_and_in_one_part() -> None:
    rows = table(1200, i=lambda row: row, a=lambda row: (row % 300) * 0.37, y=lambda row: "ab"[row % 300 % 2])
    workspace, result = preprocessed(rows, id_columns=["i"])
    assert (result.kept, result.cases, kind(workspace, result)) == (1200, 300, "features")
    parts = [set(values) for values in column(workspace, result, "a")]
    assert not parts[0] & parts[1] | parts[1] & parts[2] | parts[0] & parts[2]
    clusters = workspace.columns(result.test_labels).values["cluster"]
    assert set(Counter(clusters.tolist()).values()) == {4}  # type: ignore[union-attr]
    assert "900 rows repeat the features of another row" in result.notes[0]


@pytest.mark.parametrize(
    ("pipeline", "dropped"),
    [({}, 0), ({"id_columns": ["i"]}, 100), ({"id_columns": ["i"], "duplicates": "keep"}, 0),
     ({"duplicates": "drop"}, 100)],
)  # fmt: skip
def test_equal_rows_of_one_id_are_dropped_however_they_are_written(pipeline: dict[str, Any], dropped: int) -> None:
    rows = table(500, i=lambda row: row % 400, a=lambda row: f"{row % 400}{'.0' if row > 399 else ''}",
                 y=lambda row: "ab"[row % 400 % 2])  # fmt: skip
    _, result = preprocessed(rows, **pipeline)
    assert (result.kept, result.duplicates) == (500 - dropped, dropped)


def test_rows_without_an_id_are_not_of_one_id() -> None:
    rows = table(500, i=lambda row: row if row < 400 else "", a=lambda row: row if row < 400 else 1, y=["a", "b"])
    _, result = preprocessed(rows, id_columns=["i"])
    assert (result.kept, result.duplicates) == (500, 0)


def test_a_note_says_when_dropping_moves_the_target() -> None:
    coin = random.Random(2)
    rows = table(3000, a=lambda row: coin.randint(1, 200), y=lambda row: "yes" if coin.random() < 0.1 else "no")
    _, result = preprocessed(rows, duplicates="drop")
    assert f"dropping {result.duplicates:,} equal rows moved the share of" in result.notes[0]
    _, numbers = preprocessed(
        table(900, a=lambda row: min(row, 500), y=lambda row: min(row, 500) / 7), duplicates="drop"
    )
    assert "moved the target's mean" in numbers.notes[0]
    _, quiet = preprocessed(table(900, a=lambda row: row % 600, y=lambda row: "ab"[row % 2]), duplicates="drop")
    assert (quiet.duplicates, quiet.notes) == (300, [])


def test_groups_stay_together_named_or_found() -> None:
    rows = table(1500, c=lambda row: f"k{row * 7 % 150}", a=normal(1), y=lambda row: "ab"[row * 7 % 150 % 2])
    for pipeline in ({"group_by": ["c"]}, {"id_columns": ["c"]}):
        workspace, result = preprocessed(rows, **pipeline)  # type: ignore[arg-type]
        parts = [set(values) for values in column(workspace, result, "c")]
        assert sum(map(len, parts)) == len(set.union(*parts)) == 150
        assert (result.cases, kind(workspace, result), 44 <= len(parts[2]) <= 46) == (150, "group", True)
        assert len(set(workspace.columns(result.test_labels).values["cluster"])) == len(parts[2])
    assert result.notes == ["rows of one `c` belong together: 150 values"]


cells = st.sampled_from(["1", "1.0", "2", "x", "", "NA", "yes", " 1"])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(cells, cells, st.sampled_from("ab")), min_size=120, max_size=300), st.booleans())
def test_a_case_is_never_in_two_parts_and_every_class_in_each(rows: list[tuple[str, str, str]], grouped: bool) -> None:
    text = "g,u,v,y\n" + "".join(f"{n % 23},{u},{v}{n % 150},{y}\n" for n, (u, v, y) in enumerate(rows))
    try:
        workspace, result = preprocessed(text, **({"group_by": ["g"]} if grouped else {"drop_columns": ["g"]}))
    except Fault:
        return
    if any("are split" in note for note in result.notes):
        return
    names = ["g"] if grouped else ["u", "v"]
    columns = [column(workspace, result, name) for name in names]
    parts = [set(map(str, zip(*values, strict=True))) for values in zip(*columns, strict=True)]
    assert not parts[0] & parts[1] | parts[1] & parts[2] | parts[0] & parts[2]
    assert all(len(set(part)) == 2 for part in targets(workspace, result))
    assert sum(result.split) == result.kept


def test_classes_are_spread_by_their_share_in_every_draw_and_eight_rows_are_enough() -> None:
    for seed in range(12):
        order = random.Random(seed).sample(range(800), 800)
        workspace, result = preprocessed(
            table(
                800, a=normal(seed), b=normal(seed + 99), y=lambda row, order=order: "pos" if order[row] < 8 else "neg"
            )
        )
        assert [int(part.sum()) for part in targets(workspace, result)] == [5, 1, 2]
        folds = arrays(workspace, result.folds)
        train, validation, _ = targets(workspace, result)
        of_positives = np.concatenate([folds["train"][train == 1], folds["validation"][validation == 1]])
        assert set(of_positives) == {0, 1, 2, 3, 4}


def test_room_is_made_for_a_class_in_few_large_groups() -> None:
    for seed in range(8):
        chosen = set(random.Random(seed).sample(range(40), 8))
        workspace, result = preprocessed(
            table(800, g=lambda row: row % 40, a=normal(seed),
                  y=lambda row, c=chosen: "pos" if row % 40 in c and row < 120 else "neg"), group_by=["g"],
        )  # fmt: skip
        assert all(len(set(part)) == 2 for part in targets(workspace, result))


def test_the_split_follows_values_not_their_spelling_or_place() -> None:
    plain = [(f"{n}", f"{n * 37 % 101}", "ab"[n % 2]) for n in range(900)]
    other = [(y, f" {float(b)} ", f"+{a}") for a, b, y in reversed(plain)]
    first, one = preprocessed("a,b,y\n" + "".join(",".join(row) + "\n" for row in plain))
    second, two = preprocessed("y,b,a\n" + "".join(",".join(row) + "\n" for row in other))
    for few, many in zip(column(first, one, "a"), column(second, two, "a"), strict=True):
        assert set(few) == set(many)


def test_most_rows_stay_in_their_part_when_rows_are_added() -> None:
    def parts(rows: int) -> list[set[float]]:
        workspace, result = preprocessed(table(rows, x=lambda row: row, y=lambda row: row % 17 + 0.5))
        return [set(values) for values in column(workspace, result, "x")]

    before, after = parts(3000), parts(3300)
    # the test part shrinks slowly, so its rows become validation rows, and those training rows
    stayed = [len(few & many) / len(few) for few, many in zip(before, after, strict=True)]
    assert stayed[0] > 0.97
    assert stayed[2] > 0.85
    assert len(before[0] & after[2]) < 0.01 * 3000


@pytest.mark.parametrize(("rows", "share"), [(500, 0.3), (2000, 0.198), (6000, 0.125)])
def test_the_test_part_grows_where_rows_are_few(rows: int, share: float) -> None:
    _, result = preprocessed(table(rows, a=normal(rows), y=["p", "q"]))
    assert result.split[2] / rows == pytest.approx(share, abs=0.01)
    assert result.split[1] / rows == pytest.approx(0.125, abs=0.01)


def test_by_time_blocks_follow_the_time_and_groups_are_told() -> None:
    workspace, result = preprocessed(
        table(1000, when=lambda row: f"2024-{row // 90 + 1:02d}-{row % 28 + 1:02d}", g=lambda row: row % 50,
              a=normal(3), y=normal(4)), time_column="when", group_by=["g"],
    )  # fmt: skip
    train, validation, test = column(workspace, result, "when")
    assert train.max() < validation.min() < validation.max() < test.min()
    folds = arrays(workspace, result.folds)
    times, blocks = np.concatenate([train, validation]), np.concatenate([folds["train"], folds["validation"]])
    assert set(blocks) == set(range(6))
    latest = [times[blocks == block].max() for block in range(6)]
    assert all(latest[block] < times[blocks == block + 1].min() for block in range(5))
    assert "test rows are of a group with older training rows" in result.notes[0]
    _, found = preprocessed(
        table(1000, when=lambda row: f"2024-{row // 90 + 1:02d}-{row % 28 + 1:02d}", g=lambda row: row % 50,
              a=normal(3), y=normal(4)), time_column="when", id_columns=["g"],
    )  # fmt: skip
    assert found.notes == ["rows of one `g` belong together: 50 values", result.notes[0]]
    assert len(set(workspace.columns(result.test_labels).values["cluster"])) == 50


def test_parts_tell_of_each_row_of_the_snapshot_where_it_is() -> None:
    workspace, result = preprocessed(
        table(400, x=lambda row: row, y=lambda row: "" if row % 40 == 5 else "ab"[row % 2])
    )
    parts = arrays(workspace, result.parts)["parts"]
    assert (parts.dtype, len(parts), int((parts == 255).sum())) == (np.uint8, 400, 10)
    for number, values in enumerate(column(workspace, result, "x")):
        assert np.flatnonzero(parts == number).tolist() == values.tolist()


def test_long_identifiers_are_not_one_group() -> None:
    rows = table(800, c=lambda row: 9007199254740990000 + row // 4, a=normal(1), y=["a", "b"])
    for features in ({}, {"categorical": ["c"]}):
        _, result = preprocessed(rows, group_by=["c"], features=features)
        assert result.cases == 200


def test_rows_of_different_long_identifiers_are_not_dropped() -> None:
    rows = table(800, c=lambda row: 9007199254740990000 + row, a=lambda row: row % 40, y=["a", "b"])
    _, result = preprocessed(rows, id_columns=["c"])
    assert (result.kept, result.duplicates) == (800, 0)


def test_copies_that_the_time_divides_are_told() -> None:
    rows = table(1000, b=lambda row: row % 120, y=lambda row: "ab"[row % 120 % 2],
                 when=lambda row: f"2024-{row // 90 + 1:02d}-01")  # fmt: skip
    _, result = preprocessed(rows, time_column="when", id_columns=["when"])
    assert result.notes == [
        "the split follows time_column: 280 of 280 test rows have the features of older training rows"
    ]


@pytest.mark.parametrize("blank", [0.3, 0.7])
def test_rows_without_a_group_only_train_and_this_is_told(blank: float) -> None:
    draw = random.Random(3)
    is_blank = [draw.random() < blank for _ in range(800)]
    rows = table(
        800, c=lambda row: "" if is_blank[row] else f"k{row * 7 % 150}", a=normal(1), y=lambda row: "ab"[row * 7 % 2]
    )
    workspace, result = preprocessed(rows, group_by=["c"])
    without = sum(is_blank)
    training, validation, test = column(workspace, result, "c")
    assert Counter(training)[""] == without
    assert "" not in [*validation, *test] and len(test) >= 0.12 * (800 - without)
    folds = arrays(workspace, result.folds)
    assert [fold == 255 for fold in folds["train"]] == [value == "" for value in training]
    assert set(folds["validation"]) <= set(range(5))
    (note,) = result.notes
    assert note.startswith(f"{without} of 800 rows have no c: they only train, and judge no model")
    assert note.endswith("or take it out of `group_by` if rows do not belong together") == (blank > 0.5)
