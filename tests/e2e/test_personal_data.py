"""Personal values planted in a file, a request and an outcome: nothing that a stack keeps by itself holds one."""

from __future__ import annotations

import gzip
import json
import urllib.error
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from infra.local.cloud import LocalCloud
from modelcycle.model.labelled import Labelled
from modelcycle.spec.retention import DataClass
from modelcycle.sweep.areas import areas_of
from tests.e2e.observed_model import ObservedModel, wait_for
from tests.e2e.signed_request import predict
from tests.unit.planted_people import csv_of, found_in, people, secrets_of

pytestmark = pytest.mark.delivery
MODEL = "people"
PERSONAL = ("Kontakt", "Full Name", "fon", "zahlung")
PIPELINE = """name: people
target: left
id_columns: [Kontakt]
privacy: {columns: {Full Name: mask}}
retention: {captures: 7 days, raw: 30 days, landed: 30 days, snapshots: 30 days, holdout: 30 days, feedback: 30 days,
  scored: 30 days, reports: 30 days}
training: {trials: 2, algorithms: [linear]}
"""
THEIRS = ("raw/", "feedback/")  # what people have sent, as they have sent it


def test_nothing_that_a_stack_keeps_by_itself_holds_a_personal_value(cloud: LocalCloud) -> None:
    model = ObservedModel(cloud, MODEL)
    s3, bucket = model.client("s3"), cloud.outputs["DataBucket"]
    s3.put_object(Bucket=bucket, Key=f"pipelines/{MODEL}.yaml", Body=PIPELINE.encode())
    rows = people(400)
    broken = b"Obadiah Crumplehorn,obadiah@crumplehorn.example,and,more,cells,than,the,header,has,columns\n"
    s3.put_object(Bucket=bucket, Key=f"raw/{MODEL}/a.csv", Body=csv_of(rows) + broken)
    (run,) = model.wait_for_runs()
    assert run.state == "deployed", run.reason
    model.wait_until_live()
    asked = people(30, seed=5)
    instances = [{k: v for k, v in row.items() if k != "left"} | {"age": int(row["age"])} for row in asked]
    answer = predict(cloud, MODEL, instances)
    with pytest.raises(urllib.error.HTTPError):  # a refused request
        predict(cloud, MODEL, [instances[0] | {"age": "not a number"}])
    outcomes = [{"Kontakt": row["Kontakt"], "outcome": row["left"]} for row in asked]
    lines = "".join(json.dumps(line) + "\n" for line in outcomes)
    s3.put_object(Bucket=bucket, Key=f"feedback/{MODEL}/told.jsonl.gz", Body=gzip.compress(lines.encode()))
    captured = f"captures/model={MODEL}/"
    wait_for(lambda: s3.list_objects_v2(Bucket=bucket, Prefix=captured).get("KeyCount"), 120)
    assert _known_outcomes(model) == len(answer["prediction_ids"]), "outcomes find predictions by pseudonyms"
    # a run that fails, with other people in it
    failing = people(60, seed=9)
    body = csv_of(failing).replace(b"Kontakt", b"contact info")
    s3.put_object(Bucket=bucket, Key=f"raw/{MODEL}/b.csv", Body=body)
    assert model.wait_for_runs(2)[0].state == "failed"

    secrets = [*secrets_of([*rows, *asked, *failing], PERSONAL), "Crumplehorn", "crumplehorn"]
    objects = dict(_objects(model, [bucket, cloud.outputs["ArtifactBucket"]]))
    assert found_in({key: body for key, body in objects.items() if key.startswith(THEIRS)}, secrets[:1])
    ours = {key: body for key, body in objects.items() if not key.startswith(THEIRS)}
    assert len(ours) > 30
    ours |= {"table": json.dumps(_items(model), default=str).encode(), "logs": _logs(model)}
    assert found_in(ours, secrets) == []

    planted = _of_old_runs(model)
    swept = model.invoke("Sweep", models="all", at="2027-01-31T00:00:00Z")
    assert swept["deleted"]["raw"] == 2
    assert swept["deleted"]["captures"] >= 1
    assert (swept["failed"], swept["deleted"].keys()) == (0, {*get_args(DataClass)})
    left = dict(_objects(model, [bucket, cloud.outputs["ArtifactBucket"]]))
    assert not [key for key in left if key in planted or key.startswith((f"raw/{MODEL}/", captured))]
    assert [entry.why for entry in model.registry.audit.all(MODEL) if entry.by == "retention"]
    assert predict(cloud, MODEL, [{"age": 40, "city": "Ulm"}])["version"] == 1


def _of_old_runs(model: ObservedModel) -> set[str]:
    """Write an object to each place that a sweep looks at, of runs and versions that are long gone; return the keys."""
    planted = set()
    for area in areas_of(MODEL):
        if area.kind == "raw":  # an upload starts a run
            continue
        folder = "old-run/collect/" if area.only else "" if area.kind == "holdout" else "00000099/"
        output = "DataBucket" if area.bucket == "data" else "ArtifactBucket"
        for ending in area.only or (".npz",):
            key = f"{area.prefix}{folder}old-run{ending}"
            model.cloud.admin.client("s3").put_object(Bucket=model.cloud.outputs[output], Key=key, Body=b"old")
            planted.add(key)
    return planted


def _known_outcomes(model: ObservedModel) -> int:
    """Look at the live traffic; return how many outcomes have found their prediction."""
    uri = model.invoke("Summarize", model=MODEL)["labelled"]["uri"]
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = model.cloud.admin.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return Labelled.from_bytes(body).counts.get("known", 0)


def _objects(model: ObservedModel, buckets: list[str]) -> Iterator[tuple[str, bytes]]:
    """Yield all versions of all objects; of the versions of one key, their bytes together."""
    s3 = model.cloud.admin.client("s3")
    for bucket in buckets:
        bodies: dict[str, bytes] = {}
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for one in page.get("Versions", []):
                body = s3.get_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])["Body"].read()
                number = sum(key.startswith(one["Key"]) for key in bodies)
                bodies[one["Key"] if one["IsLatest"] else f"{one['Key']}?{number}"] = body
        yield from bodies.items()


def _items(model: ObservedModel) -> list[Any]:
    pages = (
        model.cloud.admin.client("dynamodb")
        .get_paginator("scan")
        .paginate(TableName=model.cloud.outputs["RegistryTable"])
    )
    return [item for page in pages for item in page["Items"]]


def _logs(model: ObservedModel) -> bytes:
    logs = model.cloud.admin.client("logs")
    groups = [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]]
    events = [
        event["message"]
        for group in groups
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
    ]
    assert events
    return "\n".join(events).encode()
