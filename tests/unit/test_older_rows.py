"""A candidate that learns from a window must not lose what the champion knows of the rows before it."""

from __future__ import annotations

import io

import numpy as np
import pytest

from modelcycle.find_unseen.older_rows import OLDER
from modelcycle.messages import Artifact, LearningWindow, OlderRows, ValidateRequest
from modelcycle.model.columns import Columns, Texts
from modelcycle.model.npz import from_npz, to_npz
from modelcycle.model.slices import Slices
from modelcycle.registry import Registry
from modelcycle.score_candidate import score_candidate
from modelcycle.spec import Task
from modelcycle.store import read_json
from modelcycle.validate import validate
from modelcycle.validate.older_slices import lost_older_slices
from tests.fakes import MemoryStore, MemoryTable
from tests.trained import COLOUR, cycle, rows_of, train
from tests.unit.data_steps import Workspace
from tests.unit.snapshots import TEST, Given
from tests.unit.test_learning_window import RARE, rows_over
from tests.unit.unseen_rows import FIELDS, OTHER_PARTS, PARTS, ROWS, WHOLE, champion_and

N = 1000


def lost(*, in_window: int, own: float, other: float, clusters: int = N, margin: float = 0.02) -> list[str]:
    """What is lost where a quarter of the older rows are winter, and `in_window` of 400 test rows are."""
    draw = np.random.default_rng(3)
    winter = np.arange(N) % 4 == 0
    target = draw.integers(0, 2, N)

    def scores(certainty: float, seed: int) -> np.ndarray:
        mean = np.where(winter, certainty, 0.8)
        right = np.clip(mean + np.random.default_rng(seed).normal(scale=0.1, size=N), 0.01, 0.99)
        positive = np.where(target == 1, right, 1 - right)
        return np.column_stack([1 - positive, positive])

    codes = np.concatenate([np.arange(400) < in_window, winter]).astype(np.int8)[None, :]
    slices = Slices(["season"], [["summer", "winter"]], codes)
    entities = np.arange(N) % clusters
    return lost_older_slices(
        slices, scores(own, 1), scores(other, 2), target, entities, "binary", margin=margin, version=3
    )


def test_a_slice_that_the_window_hardly_has_must_not_get_worse() -> None:
    (sentence,) = lost(in_window=20, own=0.6, other=0.75)
    assert sentence.startswith("worse than version 3 on 250 older rows where season = winter, of which the window has")
    assert "p < 0.001 over 1 slices" in sentence and "`retraining.window: all`" in sentence


@pytest.mark.parametrize(
    ("in_window", "own", "other", "margin"),
    [(150, 0.6, 0.75, 0.02), (20, 0.75, 0.75, 0.02), (20, 0.8, 0.6, 0.02), (20, 0.74, 0.75, 0.2)],
)
def test_where_the_window_judges_or_nothing_is_lost_nobody_is_refused(
    in_window: int, own: float, other: float, margin: float
) -> None:
    assert lost(in_window=in_window, own=own, other=other, margin=margin) == []


def test_no_older_rows_lose_nothing() -> None:
    none = np.zeros((0, 2))
    slices = Slices(["season"], [["summer", "winter"]], np.zeros((1, 400), dtype=np.int8))
    empty = np.zeros(0, dtype=np.int64)
    assert lost_older_slices(slices, none, none, empty, empty, "binary", margin=0.02, version=1) == []


def test_older_rows_keep_their_outcome_in_their_order() -> None:
    workspace = Workspace()
    body = rows_over(100, 5000, y=lambda row: ["yes", "no", "lost"][2 if row in RARE and row < 160 else row % 2])
    workspace.data.upload("raw/m/a.csv", body.encode())
    run = workspace.run("r1", target="y", time_column="at")
    result = workspace.preprocess(run.model_copy(update={"learns": LearningWindow(kind="sliding", days=30)}))
    assert result.older_labels is not None and result.parts is not None
    parts = from_npz(workspace.artifacts.read(result.parts))["parts"]
    assert (parts == OLDER).sum() == result.older and (parts <= 2).sum() == result.kept
    target = from_npz(workspace.artifacts.read(result.older_labels))["target"]
    classes = workspace.schema(result).classes
    words = [line.rpartition(",")[2] for line in body.split("\r\n")[1:-1]]
    older = [word for word, part in zip(words, parts, strict=True) if part == OLDER]
    assert [classes[code] if code >= 0 else "lost" for code in target] == older


def test_older_rows_that_the_champion_has_not_learned_from_are_read_for_both_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("modelcycle.find_unseen.older_rows.MIN_OLDER_ROWS", 50)
    parts = [OLDER if part == TEST else part for part in PARTS]
    parts[:100] = [TEST] * 100
    model, found = champion_and(Given(ROWS, parts, WHOLE, FIELDS))
    tests = PARTS.count(TEST)
    assert found.older is not None and found.older.rows == tests - sum(
        part == TEST and place < 100 for place, part in enumerate(PARTS)
    )
    with np.load(io.BytesIO(model.store.read(found.older.positions)), allow_pickle=False) as stored:
        assert len(stored["positions"]) == len(stored["cluster"]) == found.older.rows


def older_given() -> Given:
    """Where all test rows but the first ones lie before the window."""
    parts = [OLDER if part == TEST else part for part in PARTS]
    parts[:100] = [TEST] * 100
    return Given(ROWS, parts, WHOLE, FIELDS)


def test_too_few_older_rows_are_told() -> None:
    _, found = champion_and(older_given())
    assert found.older is None and found.positions is not None
    assert "of " in found.older_left_out and "neither model has learned from, 100 are needed" in found.older_left_out
    assert champion_and(Given(ROWS, OTHER_PARTS, WHOLE, FIELDS))[1].older_left_out == ""


@pytest.mark.parametrize(("least", "fits"), [(10, True), (50, False)])
def test_older_rows_that_are_too_large_are_fewer(monkeypatch: pytest.MonkeyPatch, least: int, fits: bool) -> None:
    monkeypatch.setattr("modelcycle.find_unseen.older_rows.MIN_OLDER_ROWS", least)
    model, found = champion_and(older_given())
    assert found.older is not None
    size = max(
        len(model.store.read(one)) for one in (found.older.features, found.older.champion_features)
    )  # fmt: skip
    monkeypatch.setattr("modelcycle.find_unseen.older_rows.MAX_OBJECT_BYTES", size - 1)
    _, fewer = champion_and(older_given())
    assert (fewer.older is not None) == fits
    if fewer.older is not None:
        assert 10 <= fewer.older.rows < found.older.rows and not fewer.older_left_out
    else:
        assert "MiB" in fewer.older_left_out


def test_the_verdict_says_that_older_slices_were_not_judged() -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    cycle(train("binary"), store, registry).go_live()
    run = cycle(train("binary", seed=50), store, registry, "r2")
    found = run.find_unseen.model_copy(update={"older_left_out": "3 of 9 are rows"})
    request = run.score_candidate.model_copy(update={"find_unseen": found})
    scored = score_candidate(request, artifacts=store, registry=registry, code="c")
    judged = ValidateRequest(**dict(request), score_candidate=scored)
    validated = validate(judged, artifacts=store, registry=registry, code="c")
    gates = read_json(store, validated.report)["gates"]
    assert [gate["detail"] for gate in gates if gate["name"] == "gates.older_slices"] == [
        "not compared on rows before the window: 3 of 9 are rows"
    ]


@pytest.mark.parametrize(("task", "noise"), [("binary", True), ("binary", False), ("regression", True)])
def test_the_steps_refuse_a_candidate_that_has_lost_an_older_slice(task: Task, noise: bool) -> None:
    store, registry = MemoryStore(), Registry(MemoryTable())
    cycle(train(task), store, registry).go_live()
    run = cycle(train(task, noise=noise), store, registry, "r2")
    rows = rows_of(task, 300, seed=99)
    green = rows.values | {COLOUR: Texts(np.zeros(300, dtype=np.int32), ["green"])}
    chosen = np.arange(0, 600, 2)
    target = np.full(600, -1.0 if task == "regression" else -1)
    target[chosen] = rows.target

    def put(key: str, body: bytes) -> Artifact:
        return store.put(key, body)

    older = OlderRows(
        rows=300,
        positions=put(
            run.run.key("find_unseen", "o"), to_npz(positions=chosen, cluster=np.arange(300, dtype=np.int32))
        ),
        features=put(run.run.holdout_key("features", "-older"), Columns(green).to_bytes()),
        champion_features=put(run.run.holdout_key("features", "-older-champion"), Columns(green).to_bytes()),
    )
    labels = put(run.run.holdout_key("labels", "-older"), to_npz(target=target))
    request = run.score_candidate.model_copy(
        update={
            "find_unseen": run.find_unseen.model_copy(update={"older": older}),
            "preprocess": run.preprocess.model_copy(update={"older": 600, "older_labels": labels}),
        }
    )
    scored = score_candidate(request, artifacts=store, registry=registry, code="c")
    judged = ValidateRequest(**dict(request), score_candidate=scored)
    validated = validate(judged, artifacts=store, registry=registry, code="c")
    assert any("older rows where" in reason and "green" in reason for reason in validated.reasons) == noise
