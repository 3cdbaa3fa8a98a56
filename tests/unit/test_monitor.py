"""Monitoring: drift is distinguished from chance, and a degraded version is announced once a day."""

from __future__ import annotations

import gzip
import json
import random
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelcycle.messages import Monitored, MonitorRequest
from modelcycle.model.columns import Texts
from modelcycle.model.fields import Field
from modelcycle.model.profile import profile_column
from modelcycle.model.signature import Signature
from modelcycle.monitor import monitor
from modelcycle.monitor.drift import compare_column, population_stability_index, psi_by_chance
from modelcycle.registry import Version, Write
from tests.unit.data_steps import AT, table
from tests.unit.data_steps import Workspace as Place

PREFIX = f"captures/{AT:%Y/%m/%d/%H}/"


@pytest.fixture(scope="module")
def trained() -> tuple[Place, Version]:
    numbers = random.Random(1)
    place = Place()
    rows = table(
        4000, id=lambda row: row, x=lambda row: numbers.gauss(0, 1), c=["a", "a", "b", "", "d/e"], b=["yes", "no"],
        when=lambda row: f"2025-01-{row % 28 + 1:02d}", y=["p", "q"],
        **{"odd =/~ name": lambda row: numbers.choice("uv")},
    )  # fmt: skip
    place.data.upload("raw/m/a.csv", rows.encode())
    run = place.run(target="y", id_columns=["id"])
    result = place.preprocess(run)
    schema = place.schema(result)
    signature = Signature(
        model="m", task="binary", target="y", classes=schema.classes, ignored=["id"], inputs=[],
        fields=[Field(name=c.name, type=c.type, format=c.format) for c in schema.columns if c.name != "id"],
    )  # fmt: skip
    stored = place.artifacts.put("m/signature.json", signature.model_dump_json().encode())
    version = Version(
        model="m", version=0, run_id="r1", created_at=AT, task="binary", onnx=stored, skops=stored, signature=stored,
        plan=stored, profile=result.profile, lineage=stored, card=stored, validation=stored, pipeline=run.pipeline,
        metric="log_loss", metrics={}, interval=(0, 1), data="", code="", opset=1,
    )  # fmt: skip
    return place, version


@pytest.fixture
def live(trained: tuple[Place, Version]) -> Place:
    place = Place(artifacts=trained[0].artifacts)
    place.registry.versions.register(trained[1], "content")
    place.registry.standings.move("m", 1, "staged", "test")
    place.registry.routes.promote("m", 1, 100, "test")
    return place


def instance(row: int, **changes: Any) -> dict[str, Any]:
    numbers = random.Random(row)
    return {
        "x": numbers.gauss(0, 1), "c": ["a", "a", "b", None, "d/e"][row % 5], "b": row % 2 == 0, "when": "2026-01-02",
        "odd =/~ name": numbers.choice("uv"),
    } | changes  # fmt: skip


def captured(
    row: int, at: Any = AT - timedelta(minutes=5), model: str = "m", version: int = 1, **changes: Any
) -> bytes:
    record = {
        "prediction_id": f"{model}{version}-{row}", "at": at.isoformat(), "model": model, "version": version,
        "instance": instance(row, **changes), "prediction": "p", "probabilities": {"p": 0.75, "q": 0.25},
    }  # fmt: skip
    return json.dumps(record).encode() + b"\n"


def run_monitor(place: Place, at: Any = AT) -> Monitored:
    return monitor(
        MonitorRequest(model="m", at=at), data=place.data, artifacts=place.artifacts, registry=place.registry
    )


def report(place: Place, result: Monitored) -> dict[str, Any]:
    assert result.report
    rows: list[dict[str, Any]] = json.loads(place.artifacts.read(result.report))["columns"]
    return {row["column"]: row for row in rows}


def events(place: Place) -> list[str]:
    return [record.body["kind"] for record in place.registry.table.query("EVENT#m", "EVENT#")]


def test_a_model_without_a_route_is_not_live() -> None:
    assert run_monitor(Place()).state == "not live"


def test_too_few_predictions_give_the_state_no_data(live: Place) -> None:
    live.data.upload(PREFIX + "a", b"".join(captured(row) for row in range(199)))
    result = run_monitor(live)
    assert (result.state, result.rows, result.degraded, result.estimated) == ("no data", 199, False, None)


@pytest.mark.parametrize("many", [True, False])
def test_traffic_like_the_training_rows_is_ok(live: Place, many: bool) -> None:
    if many:
        for row in range(400):
            live.data.upload(f"{PREFIX}{row}", captured(row))
    else:
        live.data.upload(PREFIX + "a.gz", gzip.compress(b"".join(captured(row) for row in range(400))))
    result = run_monitor(live)
    assert (result.state, result.rows, result.drifted, result.estimated) == ("ok", 400, [], 0.75)
    rows = report(live, result)
    assert set(rows) == {"x", "c", "b", "when", "odd =/~ name"}
    assert rows["when"]["psi"] is None


def test_only_this_version_in_this_window_counts_and_each_prediction_once(live: Place) -> None:
    lines = [captured(row) for row in range(300)]
    lines += lines[:50]
    lines += [captured(row, model="other") for row in range(50)] + [captured(row, version=2) for row in range(50)]
    lines += [captured(1000 + row, at=AT - timedelta(hours=25)) for row in range(50)]
    lines += [b"no json\n", b"{}\n", b"[1]\n", b"\xff\xfe\n"]
    live.data.upload(PREFIX + "a", b"".join(lines))
    live.data.upload(PREFIX + "b", b"\x1f\x8bbroken")
    result = run_monitor(live)
    assert result.rows == 300
    assert result.report
    assert json.loads(live.artifacts.read(result.report))["objects_unread"] == 1


def test_only_the_models_own_objects_are_read_and_those_from_before_models_had_their_own(live: Place) -> None:
    live.data.upload(f"captures/model=m/{AT:%Y/%m/%d/%H}/a", b"".join(captured(row) for row in range(300)))
    live.data.upload(PREFIX + "a", b"".join(captured(row) for row in range(250, 400)))
    live.data.upload(f"captures/model=m2/{AT:%Y/%m/%d/%H}/a", b"x" * 1000)
    result = run_monitor(live)
    assert result.rows == 400 and result.report
    assert json.loads(live.artifacts.read(result.report))["objects"] == 2


def test_masked_values_are_no_drift_and_missing_ones_are_still_seen(live: Place) -> None:
    def masked(row: int, **values: Any) -> bytes:
        hidden = [name for name in ("x", "c") if instance(row, **values)[name] is not None]
        line = json.loads(captured(row, **values, **dict.fromkeys(hidden, "(masked)")))
        return json.dumps(line | ({"masked": hidden} if hidden else {})).encode() + b"\n"

    live.data.upload(PREFIX + "a", b"".join(masked(row) for row in range(400)))
    rows = report(live, run_monitor(live))
    assert rows["x"]["psi"] is rows["c"]["psi"] is None and not rows["x"]["drifted"] and not rows["c"]["drifted"]
    assert "masked" in rows["x"]["detail"]
    live.data.upload(PREFIX + "a", b"".join(masked(row, **({"x": None} if row % 3 else {})) for row in range(400)))
    assert report(live, run_monitor(live))["x"]["drifted"]


def test_what_a_shadow_says_is_not_monitored(live: Place) -> None:
    lines = [captured(row) for row in range(300)]
    shadows = [json.dumps(json.loads(captured(900 + row)) | {"shadow": True}).encode() + b"\n" for row in range(99)]
    live.data.upload(PREFIX + "a", b"".join(lines + shadows))
    assert run_monitor(live).rows == 300


def test_one_column_that_drifts_is_named(live: Place) -> None:
    live.data.upload(PREFIX + "a", b"".join(captured(row, x=3.0 + row / 400) for row in range(400)))
    result = run_monitor(live)
    assert (result.state, result.drifted) == ("drifted", ["x"])
    assert "ModelDegraded" not in events(live)


def test_missing_values_alone_count_as_drift(live: Place) -> None:
    live.data.upload(
        PREFIX + "a", b"".join(captured(row, when=None if row % 3 else "2026-01-02") for row in range(400))
    )
    result = run_monitor(live)
    assert result.drifted == ["when"]
    assert report(live, result)["when"]["detail"] == "missing values: 0% in training, 66% now"


@pytest.mark.parametrize("blanks", ["\t", "\u3000", " \xa0"])
def test_a_missing_token_with_blanks_is_missing_here_as_it_is_in_training(live: Place, blanks: str) -> None:
    tokens = (blanks + "n/a" + blanks, blanks)
    live.data.upload(
        PREFIX + "a", b"".join(captured(row, **({"c": tokens[row % 2]} if row % 3 else {})) for row in range(400))
    )
    result = run_monitor(live)
    assert "c" in result.drifted
    assert report(live, result)["c"]["missing_now"] > 0.6


def test_a_column_of_invalid_values_is_one_row_of_the_report(live: Place) -> None:
    live.data.upload(PREFIX + "a", b"".join(captured(row, x={"deep": [row]}) for row in range(400)))
    result = run_monitor(live)
    assert result.drifted == ["x"]
    assert report(live, result)["x"]["missing_now"] == 1.0


def test_a_degraded_version_is_announced_once_a_day(live: Place) -> None:
    moved = {"x": 9.0, "c": "new", "odd =/~ name": "w"}
    live.data.upload(PREFIX + "a", b"".join(captured(row, **moved) for row in range(400)))
    result = run_monitor(live)
    assert (result.state, result.degraded) == ("degraded", True)
    run_monitor(live)
    run_monitor(live, AT + timedelta(minutes=10))
    assert events(live).count("ModelDegraded") == 1
    run_monitor(live, AT + timedelta(hours=21))
    assert events(live).count("ModelDegraded") == 2


def test_a_result_says_whether_the_degradation_was_announced_before(live: Place) -> None:
    moved = {"x": 9.0, "c": "new", "odd =/~ name": "w"}
    live.data.upload(PREFIX + "a", b"".join(captured(row, **moved) for row in range(400)))
    first, again, next_day = run_monitor(live), run_monitor(live), run_monitor(live, AT + timedelta(hours=21))
    assert [result.announced_before for result in (first, again, next_day)] == [False, True, False]
    assert first.announced_at and first.announced_at == again.announced_at != next_day.announced_at
    latest = live.registry.table.get("MONITOR#m", "MONITOR")
    assert latest and Monitored.model_validate(latest.body) == next_day


def test_an_announcement_of_an_earlier_release_counts(live: Place) -> None:
    live.data.upload(PREFIX + "a", b"".join(captured(row, x=9.0, c="new") for row in range(400)))
    live.registry.table.write(Write("MONITOR#m", f"DEGRADED#00000001#{AT:%Y-%m-%d}", {"version": 1}))
    result = run_monitor(live)
    assert (result.degraded, result.announced_at, result.announced_before) == (True, None, True)


def test_the_latest_result_is_kept_for_the_list_of_models(live: Place) -> None:
    run_monitor(live)
    run_monitor(live, AT - timedelta(hours=1))
    record = live.registry.table.get("MONITOR#m", "MONITOR")
    assert record is not None
    assert Monitored.model_validate(record.body).window[1] == AT


def test_a_small_sample_does_not_drift_by_chance() -> None:
    random_ = np.random.default_rng(0)
    levels = [f"l{n}" for n in range(45)]
    profile = profile_column("c", "text", Texts(random_.integers(0, 45, 20_000).astype(np.int32), levels))
    drifted = sum(
        compare_column(profile, Texts(random_.integers(0, 45, 200).astype(np.int32), levels), 0.2).drifted
        for _ in range(200)
    )
    assert drifted <= 4


def test_a_number_counts_in_the_bin_of_its_training_value() -> None:
    values = np.array([0.1, 0.3, 0.7, 0.9] * 50, dtype=np.float32)
    profile = profile_column("x", "number", values)
    assert profile.bin_counts(values.astype(np.float64))[0].tolist() == profile.counts


@settings(deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=2, max_size=12), st.integers(1, 50))
def test_the_index_is_zero_for_equal_shares_and_never_below(counts: list[int], times: int) -> None:
    training = np.array([*counts, 1])
    assert population_stability_index(training, training) == 0
    assert population_stability_index(training, training[::-1] * times) >= 0
    assert psi_by_chance(training, training * times) >= 0
