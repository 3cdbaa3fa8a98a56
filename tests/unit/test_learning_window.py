"""What a run learns from: all rows, the newest ones, or those since the relation has changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from modelcycle.claim import ClaimRequest, arrival_of, claim
from modelcycle.claim.window import last_change, learning_window
from modelcycle.faults import BadPipeline
from modelcycle.messages import Artifact, LearningWindow, Preprocessed
from modelcycle.registry import Version
from modelcycle.spec import Retraining, parse
from modelcycle.store import Listed
from tests.fakes import MemoryStore
from tests.unit.data_steps import AT, Workspace, table
from tests.unit.test_claim import WHEN, Model

DAY = 86_400.0
RARE = {*range(0, 3400, 40), 3800, 4400, 4800}  # rows of a class that the newest rows hardly have
CHANGE = datetime(2025, 12, 1, tzinfo=UTC)


def days_before(start: datetime, days: float) -> str:
    return f"{start - timedelta(days=days):%Y-%m-%d %H:%M}"


def rows_over(days: int, count: int, **columns: Any) -> str:
    """Rows spread over the days before the run, the oldest first."""
    times = {"at": lambda row: days_before(AT, days - days * row / count), "x": lambda row: row % 97}
    return table(count, **(times | {"y": ["yes", "no", "no"]} | columns))


def preprocessed(body: str, window: LearningWindow | None, **pipeline: Any) -> Preprocessed:
    workspace = Workspace()
    workspace.data.upload("raw/m/a.csv", body.encode())
    run = workspace.run("r1", **({"target": "y", "time_column": "at"} | pipeline))
    return workspace.preprocess(run.model_copy(update={"learns": window}))


def test_rows_before_the_sliding_window_are_neither_learned_from_nor_judged_on() -> None:
    result = preprocessed(rows_over(100, 5000), LearningWindow(kind="sliding", days=30))
    assert (result.kept, result.older, sum(result.split)) == (1501, 3499, 1501)
    assert result.notes[0] == (
        "rows since 2025-12-03 03:01 are learned from: 1,501 of 5,000 (retraining.window_days is 30);"
        " older ones are not"
    )


def test_rows_since_the_change_are_learned_from() -> None:
    result = preprocessed(rows_over(100, 5000), LearningWindow(kind="since_change", change=CHANGE))
    assert 1550 < result.kept < 1650
    assert "predictions have been worse since 2025-12-01 00:00 UTC" in result.notes[0]


def test_a_window_without_days_has_the_newest_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelcycle.preprocess.window.SLIDING_ROWS", 2000)
    result = preprocessed(rows_over(100, 5000), LearningWindow(kind="sliding"))
    assert result.kept == 2000


@pytest.mark.parametrize(
    ("body", "window", "pipeline", "kept", "said"),
    [
        (rows_over(100, 5000), LearningWindow(kind="sliding", days=2), {}, 1000, "the window has 101 rows, too few"),
        (rows_over(100, 300), LearningWindow(kind="sliding", days=2), {}, 300, "from: none is older"),
        (rows_over(100, 5000), LearningWindow(kind="since_change"), {}, 5000, "is not known"),
        (
            rows_over(100, 5000, y=lambda row: "rare" if row in RARE else "common"),
            LearningWindow(kind="sliding", days=30), {}, 5000, "too few of the class 'rare'",
        ),
        (
            rows_over(100, 5000, at=lambda row: row), LearningWindow(kind="sliding", days=30), {}, 5000,
            "at has no dates",
        ),
        (
            rows_over(100, 5000), LearningWindow(kind="sliding", days=30), {"time_column": None}, 5000,
            "they arrived together",
        ),
        (
            rows_over(100, 5000, at=lambda row: "2099-01-01" if row == 7 else days_before(AT, 100 - row / 50)),
            LearningWindow(kind="sliding", days=30), {}, 1502, "1,502 of 5,000",
        ),
    ],
)  # fmt: skip
def test_a_window_that_cannot_be_learned_from_alone_is_extended_and_that_is_said(
    body: str, window: LearningWindow, pipeline: dict[str, Any], kept: int, said: str
) -> None:
    result = preprocessed(body, window, **pipeline)
    assert result.kept == kept
    assert any(said in note for note in result.notes), result.notes


class DatedStore(MemoryStore):
    """A bucket that knows when its objects were written."""

    def __init__(self) -> None:
        super().__init__("data")
        self.written: dict[str, float] = {}

    def list(self, prefix: str) -> Any:
        return (listed._replace(modified=self.written.get(listed.key, 0.0)) for listed in super().list(prefix))


def test_without_a_time_column_files_are_new_or_old_as_they_arrived() -> None:
    data = DatedStore()
    workspace = Workspace(data=data)
    for number, days in enumerate((90, 40, 10)):
        key = f"raw/m/{number}.csv"
        data.upload(key, table(1200, x=lambda row, n=number: row + 5000 * n, y=["a", "b"]).encode())
        data.written[key] = AT.timestamp() - days * DAY
    run = workspace.run("r1", target="y").model_copy(update={"learns": LearningWindow(kind="sliding", days=35)})
    result = workspace.preprocess(run)
    assert (result.kept, result.older) == (2400, 1200)
    assert workspace.preprocess(workspace.run("r2", target="y")).older == 0


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("landed/m/main/2025/12/03/04/a.jsonl", datetime(2025, 12, 3, 4, 59, 59, tzinfo=UTC)),
        ("landed/m/main/2025/12/03/a.jsonl", datetime(2025, 12, 3, 23, 59, 59, tzinfo=UTC)),
        ("landed/m/main/2025/12/a.jsonl", datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("landed/m/_traffic/2025-12-03-abc.parquet", datetime(2025, 12, 3, 23, 59, 59, tzinfo=UTC)),
        ("raw/m/2025/12/03/04/a.csv", datetime(2025, 6, 1, tzinfo=UTC)),
    ],
)
def test_arrivals_of_streams_and_live_requests_are_read_from_their_names(key: str, expected: datetime) -> None:
    from modelcycle.collect.arrivals import arrival
    from modelcycle.spec import Pipeline

    run = Workspace().run("r1", target="y").model_copy(update={"learns": LearningWindow(kind="sliding")})
    listed = Listed(key, "e", 1, datetime(2025, 6, 1, tzinfo=UTC).timestamp())
    assert arrival(listed, run, Pipeline(name="m", target="y")) == {"at": expected.timestamp()}


@pytest.mark.parametrize(
    ("section", "change", "expected"),
    [
        ({}, None, None),
        ({}, CHANGE, LearningWindow(kind="since_change", change=CHANGE)),
        ({"window": "all"}, CHANGE, None),
        ({"window": "since_change"}, None, LearningWindow(kind="since_change")),
        ({"window": "sliding", "window_days": 9}, CHANGE, LearningWindow(kind="sliding", days=9)),
    ],
)
def test_the_window_follows_from_the_pipeline_file_and_from_what_was_seen(
    section: dict[str, Any], change: datetime | None, expected: LearningWindow | None
) -> None:
    assert learning_window(Retraining(**section), change) == expected


def test_days_without_a_sliding_window_are_an_error() -> None:
    with pytest.raises(BadPipeline, match="window: sliding"):
        parse(b"name: m\ntarget: y\nretraining: {window_days: 7}\n")


def test_the_change_travels_from_the_event_to_the_run(claims: Callable[..., Any]) -> None:
    event = {"detail-type": "ModelDegraded", "detail": {"model": "m", "change_point": "2025-12-01T00:00:00+00:00"}}
    assert arrival_of(event).trigger.change == CHANGE
    assert claims(event).learns == LearningWindow(kind="since_change", change=CHANGE)


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture
def claims(model: Model) -> Callable[..., Any]:
    def claimed(event: dict[str, Any], execution: str = "arn:e") -> Any:
        request = ClaimRequest(arrival_of(event), execution, WHEN)
        return claim(
            request, data=model.data, artifacts=model.artifacts, registry=model.registry, flows=model.flows
        ).run  # fmt: skip

    return claimed


def test_a_run_after_the_change_does_not_learn_again_what_no_longer_holds(
    model: Model, claims: Callable[..., Any]
) -> None:
    change = {"detail-type": "ModelDegraded", "detail": {"model": "m", "change_point": "2025-12-01T00:00:00+00:00"}}
    by_hand = {"detail-type": "RunRequested", "detail": {"model": "m"}}
    first = claims(change)
    model.end(SimpleNamespace(run=first))
    assert claims(by_hand, "arn:f").learns is None, "nothing that learned from the change is live"
    model.end(SimpleNamespace(run=model.runs.latest("m")[0].run))
    version = model.registry.versions.register(draft_of(first.run_id), "content")[0].version
    model.registry.standings.move("m", version, "staged", "test")
    model.registry.routes.promote("m", version, 100, "test")
    assert claims(by_hand, "arn:g").learns == LearningWindow(kind="since_change", change=CHANGE)
    newer = CHANGE + timedelta(days=9)
    assert last_change("m", newer, model.registry) == newer
    assert last_change("m", CHANGE - timedelta(days=9), model.registry) == CHANGE


def draft_of(run_id: str) -> Version:
    """A version of a run; nothing but the run matters here."""
    none = Artifact(uri="s3://artifacts/none", sha256="0", bytes=0)
    return Version(
        model="m", version=0, run_id=run_id, created_at=AT, task="binary", onnx=none, skops=none, signature=none,
        plan=none, profile=none, lineage=none, card=none, validation=none, pipeline=none, metric="accuracy",
        metrics={}, interval=(0, 1), data="", code="", opset=1,
    )  # fmt: skip
