"""The loop closed on the local cloud: traffic changes, and the model learns again, by itself and under governance."""

from __future__ import annotations

import csv
import io
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from infra.local.cloud import LocalCloud
from modelcycle.messages import Signal
from modelcycle.registry import DynamoTable, Registry
from tests.e2e.observed_model import UNHURRIED, ObservedModel, wait_for
from tests.e2e.signed_request import predict

MODEL = "parcels"
PIPELINE = f"""{UNHURRIED}name: parcels
target: late?
training: {{trials: 3}}
rollout: {{steps: [50, 100], wait_minutes: 0, evidence: {{minimum_rows: 30}}}}
monitoring: {{minimum_rows: 100}}
"""
STORM = 100  # ModelDegraded, at once


def parcels(count: int, seed: int, *, strike: bool = False) -> list[dict[str, Any]]:
    """Return parcels; in a strike they travel farther, and another depot is the slow one."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        distance = chance.gauss(650 if strike else 500, 120)
        depot, weight = chance.choice(["Nord", "Süd", "Ost"]), chance.expovariate(1 / 4)
        slow = depot == ("Nord" if strike else "Süd")
        delay = (distance - (650 if strike else 500)) / 120 + 2.5 * slow + chance.gauss(0, 0.5)
        made.append({
            "distance (km)": round(distance, 1), "depot": depot, "weight": round(weight, 2),
            "late?": "yes" if delay > 1.2 else "no",
        })  # fmt: skip
    return made


def answered(model: ObservedModel, rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Ask for predictions of the rows, and return what really happened, by prediction id."""
    outcomes = []
    for start in range(0, len(rows), 100):
        part = rows[start : start + 100]
        answer = predict(model.cloud, MODEL, [{k: v for k, v in row.items() if k != "late?"} for row in part])
        outcomes += [
            {"prediction_id": one, "outcome": row["late?"]}
            for one, row in zip(answer["prediction_ids"], part, strict=True)
        ]
    return outcomes


def look(model: ObservedModel, **at: str) -> None:
    """Run one look at the model to its end; `at` is the end of its windows, by default now."""
    states = model.client("stepfunctions")
    arn = states.start_execution(
        stateMachineArn=model.cloud.outputs["MonitoringArn"], name=f"look-{uuid4().hex}",
        input=json.dumps({"model": MODEL, **at}),
    )["executionArn"]  # fmt: skip
    wait_for(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING", 120)
    assert states.describe_execution(executionArn=arn)["status"] == "SUCCEEDED"


def open_incidents(model: ObservedModel) -> dict[str, list[str]]:
    return {incident.kind: incident.subjects for incident in model.registry.incidents.open(MODEL)}


def suspect(model: ObservedModel) -> None:
    """Let the hour before have shown what the next look shows: all rows of this test are of one hour."""
    end = datetime.now(UTC) - timedelta(hours=1)
    shown = [
        Signal(kind="input drift", subject="distance (km)", state="alarm"),
        Signal(kind="performance", subject=model.registry.versions.get(MODEL, 1).metric, state="alarm"),
    ]
    registry = Registry(DynamoTable(model.cloud.admin.client("dynamodb"), model.cloud.outputs["RegistryTable"]))
    registry.incidents.update(MODEL, 1, "hour", (end - timedelta(hours=1), end), shown, [], (1,), 900)


@pytest.fixture(scope="module")
def live(cloud: LocalCloud) -> ObservedModel:
    model = ObservedModel(cloud, MODEL)
    s3, bucket = model.client("s3"), cloud.outputs["DataBucket"]
    s3.put_object(Bucket=bucket, Key=f"pipelines/{MODEL}.yaml", Body=PIPELINE.encode())
    body = io.StringIO()
    writer = csv.DictWriter(body, list(parcels(1, 0)[0]))
    writer.writeheader()
    writer.writerows(parcels(2000, 1))
    s3.put_object(Bucket=bucket, Key=f"raw/{MODEL}/first.csv", Body=body.getvalue().encode())
    (run,) = model.wait_for_runs()
    assert run.state == "deployed", run.reason
    assert model.wait_until_live() == 1
    return model


def test_changed_traffic_opens_an_incident_and_ends_in_a_better_version(live: ObservedModel) -> None:
    s3, bucket = live.client("s3"), live.cloud.outputs["DataBucket"]
    outcomes = answered(live, parcels(900, 2, strike=True))
    lines = "\n".join(json.dumps(one) for one in outcomes)
    s3.put_object(Bucket=bucket, Key=f"feedback/{MODEL}/strike.jsonl", Body=lines.encode())
    wait_for(lambda: captured(live) >= 1, 20)
    suspect(live)
    look(live)
    seen = live.registry.monitoring.latest(MODEL)
    assert seen is not None and (seen.state, seen.degraded) == ("degraded", True), seen
    assert seen.realized is not None and seen.realized < 0.8 and seen.labelled == 900
    assert {"drift", "performance"} <= set(open_incidents(live))
    entries = [
        {"EventBusName": live.cloud.outputs["EventBus"], "Source": "a storm", "DetailType": "ModelDegraded",
         "Detail": json.dumps({"model": MODEL, "reason": f"alarm {number}"})}
        for number in range(STORM)
    ]  # fmt: skip
    for start in range(0, STORM, 10):  # PutEvents takes ten
        live.client("events").put_events(Entries=entries[start : start + 10])
    wait_for(lambda: live.weights().get(2), 240, lambda: str(live.runs()))
    for seed in range(10, 16):  # the canary is judged by what it answers
        answered(live, parcels(60, seed, strike=True))
    wait_for(lambda: live.weights() == {2: 100}, 120, lambda: str(live.registry.judgements.of_version(MODEL, 2)))
    runs = live.wait_for_runs(2)
    assert [run.run.trigger.kind for run in runs] == ["degraded", "upload"], "a storm starts one run"
    second = live.registry.versions.get(MODEL, 2)
    assert second.learned is not None and second.learned > live.registry.versions.get(MODEL, 1).learned


def test_the_incident_closes_once_the_better_version_is_live(live: ObservedModel) -> None:
    look(live)
    assert not {"drift", "performance"} & set(open_incidents(live))
    latest = live.registry.incidents.latest(MODEL)
    assert all("version 2 is live now" in one.closed_why for one in latest if one.version == 1)


def test_a_column_in_other_units_is_named_and_starts_no_run(live: ObservedModel) -> None:
    runs = len(live.runs())
    answered(live, [row | {"distance (km)": row["distance (km)"] * 1000} for row in parcels(1500, 3, strike=True)])
    wait_for(lambda: captured(live) >= 3, 20)
    look(live)
    seen = live.registry.monitoring.latest(MODEL)
    assert seen is not None and (seen.state, seen.degraded) == ("broken", False), seen
    assert [(one.column, one.cause) for one in seen.broken] == [("distance (km)", "other units")]
    assert open_incidents(live)["broken data"] == ["distance (km)"]
    assert len(live.runs()) == runs


def test_new_outcomes_ask_for_a_run_which_is_refused_while_values_are_wrong(live: ObservedModel) -> None:
    s3, bucket, runs = live.client("s3"), live.cloud.outputs["DataBucket"], len(live.runs())
    body = f"{PIPELINE}retraining: {{new_rows: 30}}\n".encode()
    s3.put_object(Bucket=bucket, Key=f"pipelines/{MODEL}.yaml", Body=body)
    objects = captured(live)
    lines = "\n".join(json.dumps(one) for one in answered(live, parcels(60, 4, strike=True)))
    s3.put_object(Bucket=bucket, Key=f"feedback/{MODEL}/more.jsonl", Body=lines.encode())
    wait_for(lambda: captured(live) > objects, 20)
    look(live)
    seen = live.registry.monitoring.latest(MODEL)
    assert seen is not None and "rows with an outcome" in str(seen.asked), seen
    wait_for(lambda: live.registry.retrainings.latest(MODEL, 1)[0].kind == "LabelledRowsArrived", 30)
    answer = live.registry.retrainings.latest(MODEL, 1)[0]
    assert answer.decision == "refused" and "live values are wrong" in answer.why
    assert len(live.runs()) == runs


def test_two_looks_at_one_moment_read_what_was_compacted_and_keep_one_report(live: ObservedModel) -> None:
    s3, bucket = live.client("s3"), live.cloud.outputs["DataBucket"]
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    reports = []
    for _ in range(2):
        look(live, at=hour.isoformat())
        seen = live.registry.monitoring.latest(MODEL)
        assert seen is not None and seen.window[1] == hour and seen.rows >= 1500
        reports.append(seen.report)
    assert reports[0] == reports[1]
    compacted = s3.list_objects_v2(Bucket=bucket, Prefix=f"compacted/model={MODEL}/")["Contents"]
    assert any(entry["Key"].endswith(".parquet") for entry in compacted)


def test_the_day_is_sealed_once(live: ObservedModel) -> None:
    first, again = (live.invoke("Seal", kind="seal") for _ in range(2))
    assert first["signed"] and again["days"] == [] and first["models"] == again["models"] > 0


def captured(model: ObservedModel) -> int:
    """Return how many objects with captured answers there are."""
    listed = model.client("s3").list_objects_v2(
        Bucket=model.cloud.outputs["DataBucket"], Prefix=f"captures/model={MODEL}/"
    )
    return int(listed["KeyCount"])
