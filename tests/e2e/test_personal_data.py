"""Personal values planted in a file, a request and an outcome: nothing that a stack keeps by itself holds one."""

from __future__ import annotations

import csv
import gzip
import json
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import duckdb
import pytest

from cli.console import REFUSED
from infra.local.cloud import LocalCloud
from modelcycle.model.labelled import Labelled
from modelcycle.spec.retention import DataClass
from modelcycle.sweep.areas import areas_of
from tests.e2e.observed_model import ObservedModel, wait_for
from tests.e2e.signed_request import post, predict
from tests.e2e.test_people import Person, check_calls
from tests.unit.planted_people import csv_of, found_in, people, secrets_of

pytestmark = pytest.mark.delivery
MODEL = "people"
PERSONAL = ("customer", "Kontakt", "Full Name", "fon", "zahlung")
PIPELINE = """name: people
target: left
id_columns: [Kontakt]
privacy: {columns: {Full Name: mask, customer: encrypt}}
retention: {captures: 7 days, raw: 30 days, landed: 30 days, snapshots: 30 days, holdout: 30 days, feedback: 30 days,
  scored: 30 days, reports: 30 days}
training: {trials: 2, algorithms: [linear]}
"""
THEIRS = (f"raw/{MODEL}/", f"feedback/{MODEL}/told", f"score/{MODEL}/")  # files of people, as they have sent them


def test_nothing_that_a_stack_keeps_by_itself_holds_a_personal_value(
    cloud: LocalCloud, project_variables: None, run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ObservedModel(cloud, MODEL)
    s3, bucket = model.client("s3"), cloud.outputs["DataBucket"]
    s3.put_object(Bucket=bucket, Key=f"pipelines/{MODEL}.yaml", Body=PIPELINE.encode())
    rows = people(400)
    broken = b"Obadiah Crumplehorn,obadiah@crumplehorn.example,and,more,cells,than,the,header,has,columns\n"
    s3.put_object(Bucket=bucket, Key=f"raw/{MODEL}/a.csv", Body=csv_of(rows) + broken)
    (first,) = model.wait_for_runs()
    assert first.state == "deployed", first.reason
    model.wait_until_live()
    asked = people(30, seed=5)
    instances = [{k: v for k, v in row.items() if k != "left"} | {"age": int(row["age"])} for row in asked]
    answer = predict(cloud, MODEL, instances)
    with pytest.raises(urllib.error.HTTPError):  # a refused request
        predict(cloud, MODEL, [instances[0] | {"age": "not a number"}])
    outcomes = [{"Kontakt": row["Kontakt"], "outcome": row["left"]} for row in asked]
    lines = "".join(json.dumps(line) + "\n" for line in outcomes)
    s3.put_object(Bucket=bucket, Key=f"feedback/{MODEL}/told.jsonl.gz", Body=gzip.compress(lines.encode()))
    over_http = {"outcomes": [{"Kontakt": row["Kontakt"], "fon": row["fon"], "outcome": row["left"]} for row in asked]}
    assert post(cloud, f"/models/{MODEL}/feedback", over_http)["outcomes"] == len(asked)
    s3.put_object(Bucket=bucket, Key=f"score/{MODEL}/may.csv", Body=csv_of(asked))
    captured = f"captures/model={MODEL}/"
    wait_for(lambda: s3.list_objects_v2(Bucket=bucket, Prefix=captured).get("KeyCount"), 120)
    assert _known_outcomes(model) == len(answer["prediction_ids"]), "outcomes find predictions by pseudonyms"
    scored = f"scored/{MODEL}/may.csv/"
    wait_for(lambda: any(key.endswith("manifest.json") for key in _keys(s3, bucket, scored)), 120)
    (results,) = [key for key in _keys(s3, bucket, scored) if key.endswith(".csv")]
    lines = csv.DictReader(s3.get_object(Bucket=bucket, Key=results)["Body"].read().decode().splitlines())
    assert [line["Kontakt"][:3] for line in lines] == ["ps_"] * len(asked)
    # the same from the laptop: the local results have the ids of the local file, and outcomes find their predictions
    (tmp_path / "may.csv").write_bytes(csv_of(asked))
    told = run("score", MODEL, "--data", str(tmp_path / "may.csv"))
    local = list(csv.DictReader((tmp_path / "may.scored.csv").read_text().splitlines()))
    assert [line["Kontakt"] for line in local] == [row["Kontakt"] for row in asked]
    assert (told["treated"], told["own_ids"]) == ({"Kontakt": "pseudonymise"}, ["Kontakt"])
    (tmp_path / "told.csv").write_bytes(csv_of(outcomes[:20]))
    found = run("feedback", MODEL, "--data", str(tmp_path / "told.csv"))
    assert (found["rows"], found["found"], found["not_found"]) == (20, 20, 0)
    # an encrypted value is shown to whoever has the right and says why, and to nobody else
    cell = _encrypted_cell(model, tmp_path / "rows.parquet")
    asked_for = ("reveal", MODEL, "--column", "customer", "--value", cell, "--why", "complaint 77")
    assert Person(cloud, "only-auditor", "Auditor").run(*asked_for) == REFUSED
    assert not [entry for entry in model.registry.audit.all(MODEL) if entry.decision == "reveal"]
    capsys.readouterr()
    revealer = Person(cloud, "revealer", "Auditor", "Revealer")
    assert revealer.run(*asked_for) == 0
    assert json.loads(capsys.readouterr().out)["value"] in {row["customer"] for row in rows}
    check_calls(revealer, "reveal")
    shown = tmp_path / "customers.csv"
    assert revealer.run("reveal", MODEL, "--column", "customer", "--out", str(shown), "--why", "complaint 78") == 0
    capsys.readouterr()
    assert {line["customer"] for line in csv.DictReader(shown.read_text().splitlines())} == {
        row["customer"] for row in rows
    }
    second, entry = [entry for entry in model.registry.audit.all(MODEL) if entry.decision == "reveal"]
    assert second.evidence == {"cells": {"customer": len(rows)}}
    assert (entry.by.rpartition("/")[2], entry.why, entry.evidence) == (
        "revealer", "complaint 77", {"cells": {"customer": 1}},
    )  # fmt: skip
    assert run("verify", MODEL)["ok"]
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


def _encrypted_cell(model: ObservedModel, path: Path) -> str:
    """Return a cell that a run has stored encrypted; other Parquet files of `collect` have no columns of rows."""
    s3, bucket = model.cloud.admin.client("s3"), model.cloud.outputs["ArtifactBucket"]
    for key in _keys(s3, bucket, f"{MODEL}/runs/"):
        if "/collect/" in key and key.endswith(".parquet"):
            path.write_bytes(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
            table = duckdb.read_parquet(str(path))
            if "c0" in table.columns:
                (cell,) = table.select("c0").limit(1).fetchall()[0]
                return str(cell)
    raise AssertionError("no rows are stored")


def _keys(s3: Any, bucket: str, prefix: str) -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


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
