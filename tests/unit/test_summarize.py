"""Summaries of live traffic: both sides are counted by the same bins, as serving reads the values."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infra.local.deployment.translate import read_template
from modelcycle.compact import compact
from modelcycle.messages import CompactRequest, GroupThresholds, Summarized, SummarizeRequest, artifacts_in
from modelcycle.messages.group_thresholds import GroupThreshold
from modelcycle.model.fields import Field
from modelcycle.model.scoring import Scores
from modelcycle.model.signature import Signature
from modelcycle.model.window import ColumnCounts, WindowSample, WindowSummary
from modelcycle.registry import ReferenceRows, Version
from modelcycle.spec import Capture
from modelcycle.summarize import summarize
from tests.unit.data_steps import AT, table
from tests.unit.data_steps import Workspace as Place

ROOT = Path(__file__).resolve().parents[2]
PREFIX = f"captures/model=m/{AT:%Y/%m/%d/%H}/"
ODD = "odd =/~ \"'.name\u00e9"
ROWS = 8000


@dataclass
class Live:
    """A model with a live version, and what was captured of it."""

    place: Place
    last: tuple[dict[str, int], Summarized] | None = None

    def capture(self, *lines: dict[str, Any], key: str = "a") -> None:
        self.place.data.upload(PREFIX + key, b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    def look(self, at: Any = AT) -> Summarized:
        request = SummarizeRequest(model="m", at=at)
        return summarize(request, data=self.place.data, artifacts=self.place.artifacts, registry=self.place.registry)

    def seen(self) -> Summarized:
        """Return the last look, if nothing has been captured since."""
        captured = {key: len(body) for key, body in self.place.data.objects.items()}
        if self.last is None or self.last[0] != captured:
            self.last = captured, self.look()
        return self.last[1]

    def summary(self, kind: str = "day", version: int = 1) -> WindowSummary:
        seen = self.seen()
        (window,) = (one for one in seen.windows if one.kind == kind and one.version == version)
        return WindowSummary.model_validate_json(self.place.artifacts.read(window.summary))

    def column(self, name: str, kind: str = "day") -> ColumnCounts:
        (found,) = (column for column in self.summary(kind).columns if column.name == name)
        return found


@pytest.fixture(scope="module")
def trained() -> tuple[Place, Version]:
    numbers = random.Random(1)
    place = Place()
    rows = table(
        ROWS, id=lambda row: row, x=lambda row: numbers.gauss(0, 1), c=["a", "a", "b", "", "d/e"],
        b=lambda row: numbers.choice(["yes", "no"]),
        when=lambda row: f"2025-01-{row % 28 + 1:02d}", y=["p", "q"], price=lambda row: f"{row % 7},5",
        many=lambda row: f"level {numbers.randrange(5000)}", sex=["f", "m", "m"],
        **{"Age": lambda row: 20 + row % 50, "age": lambda row: ["old", "young"][row % 2]},
        **{ODD: lambda row: numbers.choice("uv")},
    )  # fmt: skip
    place.data.upload("raw/m/a.csv", rows.encode())
    run = place.run(target="y", id_columns=["id"], sensitive_columns=["sex"])
    result = place.preprocess(run)
    schema = place.schema(result)
    left_out = ("id", "sex")
    signature = Signature(
        model="m", task="binary", target="y", classes=schema.classes, ignored=list(left_out), inputs=[],
        fields=[
            Field(name=c.name, type=c.type, **{k: v for k, v in c.reading().items() if k != "type"})
            for c in schema.columns if c.name not in left_out
        ],
    )  # fmt: skip
    stored = place.artifacts.put("m/signature.json", signature.model_dump_json().encode())
    test_rows = place.columns(result.test_features).rows
    positive = np.random.default_rng(1).random(test_rows, dtype=np.float32)
    scores = place.artifacts.put("m/scores.npz", Scores(np.column_stack([1 - positive, positive])).to_bytes())
    version = Version(
        model="m", version=0, run_id="r1", created_at=AT, task="binary", onnx=stored, skops=stored, signature=stored,
        plan=stored, profile=result.profile, lineage=stored, card=stored, validation=stored, pipeline=run.pipeline,
        metric="log_loss", metrics={}, interval=(0, 1), data="", code="", opset=1,
        reference=ReferenceRows(features=result.test_features, labels=result.test_labels, scores=scores),
    )  # fmt: skip
    return place, version


def go_live(trained: tuple[Place, Version], **changes: Any) -> Live:
    place = Place(artifacts=trained[0].artifacts)
    place.registry.versions.register(trained[1].model_copy(update=changes), "content")
    place.registry.standings.move("m", 1, "staged", "test")
    place.registry.routes.promote("m", 1, 100, "test")
    return Live(place)


@pytest.fixture
def live(trained: tuple[Place, Version]) -> Live:
    return go_live(trained)


def instance(row: int, **changes: Any) -> dict[str, Any]:
    numbers = random.Random(row)
    return {
        "x": numbers.gauss(0, 1), "c": ["a", "a", "b", None, "d/e"][row % 5], "b": row % 2 == 0, "when": "2026-01-02",
        "price": row % 7 + 0.5, "many": f"level {numbers.randrange(5000)}", "Age": 20 + row % 50,
        "age": ["old", "young"][row % 2], ODD: numbers.choice("uv"),
    } | changes  # fmt: skip


def captured(row: int, minutes: float = 5, version: int = 1, **changes: Any) -> dict[str, Any]:
    positive = random.Random(-row).random()
    return {
        "prediction_id": f"{version}-{row}", "at": (AT - timedelta(minutes=minutes)).isoformat(), "model": "m",
        "version": version, "instance": instance(row, **changes), "prediction": "q" if positive >= 0.5 else "p",
        "probabilities": {"p": 1 - positive, "q": positive}, "ms": 1 + row % 10, "of": 1,
    }  # fmt: skip


def test_a_model_that_is_not_live_has_no_windows() -> None:
    assert Live(Place()).seen().windows == []


def test_what_only_hands_over_to_the_judgement_expires(live: Live) -> None:
    live.capture(*(captured(row) for row in range(300)))
    outcomes = [{"prediction_id": f"1-{row}", "outcome": "q"} for row in range(50)]
    live.place.data.upload("feedback/m/a.jsonl", "\n".join(map(json.dumps, outcomes)).encode())
    seen = live.look()
    assert seen.labelled and all(window.sample for window in seen.windows)
    bucket = read_template(ROOT / "infra" / "storage.yaml")["Resources"]["Artifacts"]["Properties"]
    expiring = [rule["Prefix"] for rule in bucket["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule]
    for written in artifacts_in(seen):
        assert written.uri.startswith(tuple(f"s3://artifacts/{prefix}" for prefix in expiring)), written.uri


def test_a_window_without_traffic_is_summarized_with_its_reference(live: Live) -> None:
    seen = live.seen()
    assert [(window.kind, window.rows, window.sample) for window in seen.windows] == [
        ("day", 0, None),
        ("hour", 0, None),
    ]
    summary = live.summary()
    assert (summary.rows, summary.newest, summary.requests, summary.latency) == (0, None, 0, [])
    assert {column.name for column in summary.columns} == set(instance(0))
    assert all(column.reference.rows > 700 and column.live.rows == 0 for column in summary.columns)


def test_both_sides_are_counted_by_the_same_bins(live: Live) -> None:
    live.capture(*(captured(row) for row in range(400)))
    summary = live.summary()
    assert (summary.rows, summary.requests, summary.failed) == (400, 400, 0)
    assert summary.latency[4] == 5 and summary.latency[-1] == 10
    for column in summary.columns:
        for side in (column.reference, column.live):
            assert len(side.counts) == len(column.labels)
            if column.type != "datetime":
                assert sum(side.counts) + side.missing == side.rows
    by_name = {column.name: column for column in summary.columns}
    assert (by_name["c"].live.missing, by_name["c"].live.absent) == (80, 0)
    assert by_name["c"].labels[:3] == ["a", "b", "d/e"] or set(by_name["c"].labels[:3]) == {"a", "b", "d/e"}
    assert by_name["b"].live.counts == [200, 200]
    x = by_name["x"]
    assert len(x.labels) == 20 and max(x.reference.counts) - min(x.reference.counts) <= 1
    assert x.live.mean == pytest.approx(0, abs=0.2) and x.live.deviation == pytest.approx(1, abs=0.2)
    assert (
        by_name["price"].live.counts
        == [0, 58, 0, 57, 0, 57, 0, 57, 0, 57, 0, 57, 0, 57, 0][: len(by_name["price"].labels)]
    )
    many = by_name["many"]
    assert many.live.unknown > 200 and many.reference.unknown == 0 and len(many.new) == 10
    assert many.reference.once / many.reference.rows == pytest.approx(many.live.unknown / 400, abs=0.08)
    assert by_name["Age"].type == "number" and by_name["age"].type == "text"
    assert summary.predictions is not None and summary.scores is not None
    assert summary.predictions.labels == ["p", "q"] and sum(summary.predictions.live.counts) == 400
    assert sum(summary.scores.live.counts) == 400 and summary.scores.live.missing == 0


@pytest.mark.parametrize(
    ("name", "sent", "expected"),
    [
        ("x", [1, 1.5, "2.5", "1,5", "n/a", "", None, True, 1e39], {"missing": 6, "unparsed": 3}),
        ("price", [1.5, "1,5", "1.5", "1.234,5", None], {"missing": 3, "unparsed": 2}),
        ("b", [True, False, "yes", " NO ", "maybe", None, 1], {"missing": 3, "unparsed": 2}),
        ("when", ["2026-01-02", "never", None], {"missing": 2, "unparsed": 1}),
        ("c", ["a", " a ", "", None, "new"], {"missing": 2, "unparsed": 0, "unknown": 1}),
    ],
)
def test_a_live_value_is_read_as_serving_reads_it(
    live: Live, name: str, sent: list[Any], expected: dict[str, int]
) -> None:
    live.capture(*(captured(row, **{name: value}) for row, value in enumerate(sent)))
    side = live.column(name).live
    assert {field: getattr(side, field) for field in expected} == expected
    assert side.rows == len(sent)


def test_the_hour_is_part_of_the_day_and_each_prediction_counts_once(live: Live) -> None:
    lines = [captured(row, minutes=61 + row) for row in range(50)] + [
        captured(row, minutes=59) for row in range(50, 90)
    ]
    lines += lines[:20] + [captured(row, minutes=-1) for row in range(100, 110)]
    lines += [captured(row, minutes=24 * 60 + 1) for row in range(110, 120)]
    lines += [{**captured(row), "model": "other"} for row in range(200, 210)]
    lines += [{**captured(row), "shadow": True, "version": 9} for row in range(220, 230)]
    live.capture(*lines)
    live.place.data.upload(PREFIX + "z", b"\x1f\x8bbroken")
    live.place.data.upload(PREFIX + "y", gzip.compress(json.dumps(captured(300)).encode()) + b"")
    live.place.data.upload(PREFIX + "x", b"no json\n{}\n[1]\n\xff\xfe\n")
    day, hour = live.summary("day"), live.summary("hour")
    assert (day.rows, hour.rows) == (91, 41)
    assert day.versions == {1: 91}
    assert [column.live.rows for column in hour.columns] == [41] * len(hour.columns)
    assert any("could not be read: 1" in note for note in live.seen().notes)


def test_absent_and_masked_columns_are_told_apart_from_missing_ones(trained: tuple[Place, Version]) -> None:
    live = go_live(trained, capture=Capture(mask=["c"]))
    lines = [captured(row) for row in range(300)]
    for line in lines:
        del line["instance"]["x"]
        if line["instance"]["c"] is not None:
            line["instance"]["c"], line["masked"] = "(masked)", ["c"]
    for line in lines[:100]:
        del line["instance"]["Age"]
    live.capture(*lines)
    x, age, c = live.column("x").live, live.column("Age").live, live.column("c").live
    assert (x.missing, x.absent, sum(x.counts)) == (300, 300, 0)
    assert (age.missing, age.absent, sum(age.counts)) == (100, 100, 200)
    assert (c.masked, c.missing, sum(c.counts), c.unknown) == (240, 60, 0, 0)
    assert any("masked" in note and "c" in note for note in live.summary().notes)
    (window, _) = live.seen().windows
    assert window.sample
    sample = WindowSample.from_bytes(live.place.artifacts.read(window.sample))
    assert "c" not in sample.names and np.isnan(sample.live[:, sample.names.index("x")]).all()


def test_a_sensitive_column_is_counted_where_requests_hold_it(live: Live) -> None:
    live.capture(*(captured(row) for row in range(30)))
    assert "sex" not in [column.name for column in live.summary().columns]
    live.capture(*(captured(row, sex="f") for row in range(30)))
    column = live.column("sex")
    assert (column.reads, sum(column.live.counts), column.type) == (False, 30, "text")


def test_a_sample_holds_rows_of_both_sides_with_levels_that_they_share(live: Live) -> None:
    live.capture(*(captured(row) for row in range(300)))
    window = live.seen().windows[0]
    assert window.sample
    body = live.place.artifacts.read(window.sample)
    sample = WindowSample.from_bytes(body)
    assert sample.live.shape == (300, len(sample.names)) and sample.live_scores.shape == (300, 2)
    assert "when" not in sample.names and "id" not in sample.names
    number = sample.names.index(ODD)
    assert sample.texts[number] and set(sample.live[:, number]) == set(sample.reference[:, number]) == {0.0, 1.0}
    assert np.allclose(sample.live_scores.sum(axis=1), 1)
    assert len(sample.reference) == len(sample.target) == len(sample.reference_scores)
    missing = np.isnan(sample.live[:, sample.names.index("c")])
    assert missing.sum() == 60, "every fifth row has no text, and no level stands for that"
    ids = sorted(range(300))
    x = np.sort(sample.live[:, sample.names.index("x")])
    assert np.allclose(x, np.sort([instance(row)["x"] for row in ids]))
    assert live.look() == live.seen(), "equal captures give equal artifacts"


def test_a_sample_holds_the_groups_of_both_sides_where_requests_hold_them(live: Live) -> None:
    live.capture(*(captured(row) for row in range(300)))
    window = live.seen().windows[0]
    assert window.sample and WindowSample.from_bytes(live.place.artifacts.read(window.sample)).live_groups is None
    live.capture(*(captured(row, sex=["f", "m", None, "d"][row % 4]) for row in range(300)))
    window = live.seen().windows[0]
    assert window.sample
    sample = WindowSample.from_bytes(live.place.artifacts.read(window.sample))
    assert sample.live_groups is not None and sample.reference_groups is not None and sample.live_selected is None
    (names,) = sample.live_groups.groups
    assert sample.reference_groups.groups == [names] and names == ["d", "f", "m", "(missing)"]
    assert np.bincount(sample.live_groups.codes[0]).tolist() == [75, 75, 75, 75]
    in_reference = np.bincount(sample.reference_groups.codes[0], minlength=4)
    assert in_reference[0] == in_reference[3] == 0 and in_reference[2] > 1.5 * in_reference[1] > 0


def test_what_was_answered_is_in_the_sample_where_groups_have_thresholds(trained: tuple[Place, Version]) -> None:
    store, version = trained[0].artifacts, trained[1]
    assert version.reference is not None
    signature = Signature.model_validate_json(store.read(version.signature))
    groups = GroupThresholds(columns=["sex"], groups=[GroupThreshold(values=["f"], threshold=0.1)])
    stored = store.put("m/by-group.json", signature.model_copy(update={"groups": groups}).model_dump_json().encode())
    scores = Scores.from_bytes(store.read(version.reference.scores))
    cutoffs = np.where(np.arange(len(scores.scores)) % 2, 0.1, 0.9).astype(np.float32)
    by_group = store.put("m/by-group.npz", replace(scores, cutoffs=cutoffs).to_bytes())
    live = go_live(
        trained, signature=stored, reference=version.reference.model_copy(update={"scores": by_group}),
    )  # fmt: skip
    live.capture(*(captured(row, sex="f") | {"prediction": "pq"[row % 3 == 0]} for row in range(300)))
    window = live.seen().windows[0]
    assert window.sample
    sample = WindowSample.from_bytes(store.read(window.sample))
    assert sample.live_selected is not None and sample.reference_selected is not None
    assert sample.live_selected.dtype == bool and int(sample.live_selected.sum()) == 100
    expected = scores.scores[:, 1] >= cutoffs
    assert int(sample.reference_selected.sum()) == int(expected.sum()) and len(sample.reference_selected) == len(
        expected
    )


def test_an_old_version_is_compared_with_the_profile_of_its_training_rows(trained: tuple[Place, Version]) -> None:
    live = go_live(trained, reference=None)
    live.capture(*(captured(row) for row in range(300)))
    summary = live.summary()
    assert (summary.predictions, summary.scores) == (None, None)
    assert any("older than kept references" in note for note in summary.notes)
    assert [window.sample for window in live.seen().windows] == [None, None]
    for column in summary.columns:
        assert len(column.reference.counts) == len(column.live.counts) == len(column.labels)
        assert column.type == "datetime" or sum(column.live.counts) + column.live.missing == 300
    many = next(column for column in summary.columns if column.name == "many")
    assert many.live.unknown == 0, "the profile does not hold all levels"


def test_two_versions_in_one_window_are_counted_apart(trained: tuple[Place, Version]) -> None:
    live = go_live(trained)
    registry = live.place.registry
    registry.versions.register(trained[1].model_copy(update={"version": 0}), "other")
    registry.standings.move("m", 2, "staged", "test")
    registry.routes.promote("m", 2, 20, "test")
    live.capture(
        *(captured(row) for row in range(200)), *(captured(row, version=2) for row in range(50)),
        *({**captured(row), "version": 1, "assigned": 2} for row in range(300, 307)),
        *({**captured(row), "version": 7} for row in range(400, 403)),
    )  # fmt: skip
    seen = live.seen()
    assert [(one.version, one.kind, one.rows) for one in seen.windows] == [
        (1, "day", 207), (1, "hour", 207), (2, "day", 50), (2, "hour", 50),
    ]  # fmt: skip
    assert any("version 7" in note for note in seen.notes)
    first, second = live.summary(version=1), live.summary(version=2)
    assert (first.versions, first.failed, second.failed) == ({1: 207, 2: 50, 7: 3}, 0, 7)


def test_the_windows_before_are_counted_by_the_hours_that_are_compacted(live: Live) -> None:
    for hours, rows in ((1, 3), (2, 5), (3, 0), (4, 7)):
        at = AT - timedelta(hours=hours)
        lines = [captured(1000 * hours + row, minutes=60 * hours) for row in range(rows)]
        lines += [{**captured(9000 + row, minutes=60 * hours), "shadow": True} for row in range(4)]
        body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        live.place.data.upload(f"captures/model=m/{at:%Y/%m/%d/%H}/{hours}", body)
    compact(CompactRequest(model="m", at=AT), data=live.place.data)
    assert live.summary("hour").before == [5, 0, 7]
    assert live.summary("day").before == []
