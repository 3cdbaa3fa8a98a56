"""One lifecycle, from the first upload to an approval, told once for every place; what it leaves in the registry."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any

from modelcycle.registry import RunRecord
from tests.contract.rows import rows
from tests.e2e.observed_model import ObservedModel, wait_for
from tests.e2e.signed_request import predict
from tests.localstack.registry_content import Content, Place, content

# a busy machine must not decide whether a version passes staging
PIPELINE = "monitoring: {minimum_rows: 30}\nstaging: {p99_ms: 30000}\n"
ASKING = PIPELINE + "approval: {required: true}\n"
UPLOAD, PHOTO = "plums.csv", "photo.csv"
NUMBERS = ("=weight (g)", "größe")
KIND, PERSON, OF_PERSON = 'the "kind"', "Kornelkirsche-Øst", 3
BATCH, BATCHES = 20, 2
RUN_TIMEOUT = 400  # seconds; at LocalStack every function starts anew, which takes a busy machine long
Command = Callable[..., None]
"""Runs a verb of the command line at the place."""


def live_rows(seed: int, shift: float = 0.0) -> list[dict[str, Any]]:
    """Return the rows of requests; `shift` is added to every number."""
    instances: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(rows(BATCH * BATCHES, seed))))
    for instance in instances:
        del instance["is it, sour?"]
        for column, text in instance.items():
            instance[column] = None if not text else float(text) + shift if column in NUMBERS else text
    return instances


def live(model: ObservedModel, command: Command) -> None:
    """Take a model through its lifecycle; each step waits for the one before it."""
    model.put_pipeline(PIPELINE)
    model.upload(UPLOAD)
    assert ended(model, 1).state == "deployed"
    wait_for_route(model, {1: 100})
    ask(model, live_rows(seed=5))
    command("monitor", model.name)

    model.upload(UPLOAD, count=700, seed=2)  # the same key with other rows
    assert ended(model, 2).state == "deployed"
    wait_for_route(model, {2: 100})
    ask(model, live_rows(seed=6, shift=100.0))
    command("monitor", model.name)  # announces that the model has degraded, which starts a run
    assert ended(model, 3).run.trigger.kind == "degraded"

    put(model, PHOTO, bytes(range(256)) * 40)
    assert ended(model, 4).state == "failed"
    model.client("s3").delete_object(Bucket=model.cloud.outputs["DataBucket"], Key=f"raw/{model.name}/{PHOTO}")

    command("rollback", model.name, "--why", "too many complaints")
    wait_for_route(model, {1: 100})

    be_asked(model, command)


def be_asked(model: ObservedModel, command: Command) -> None:
    """Make a version that a person has to approve, and approve it; then verify everything."""
    model.put_pipeline(ASKING)
    put(model, "asked.csv", with_a_person(rows(800, 4)).encode())
    asked = ended(model, 5)
    assert asked.state == "awaiting_approval" and asked.version
    command("approve", f"{model.name}:{asked.version}", "--why", "looked at it")
    wait_for_route(model, {asked.version: 100})
    command("verify", model.name)


def put(model: ObservedModel, file: str, body: bytes) -> None:
    """Upload a file, which starts a run."""
    bucket = model.cloud.outputs["DataBucket"]
    model.client("s3").put_object(Bucket=bucket, Key=f"raw/{model.name}/{file}", Body=body)


def with_a_person(text: str) -> str:
    """Return rows of which the first OF_PERSON have a kind of plum that nobody else has."""
    header, *lines = text.splitlines()
    columns = next(csv.reader([header]))
    table = list(csv.reader(lines))
    for row in table[:OF_PERSON]:
        row[columns.index(KIND)] = PERSON
    written = io.StringIO()
    csv.writer(written).writerows([columns, *table])
    return written.getvalue()


def wait_for_route(model: ObservedModel, weights: dict[int, int]) -> None:
    """Wait until the traffic is shared like that: a run ends before its rollout."""
    wait_for(lambda: model.weights() == weights, 60, lambda: f"{model.weights()} instead of {weights}")


def ended(model: ObservedModel, count: int) -> RunRecord:
    """Return the newest of `count` runs, once all have ended."""
    return model.wait_for_runs(count, RUN_TIMEOUT)[0]


def ask(model: ObservedModel, instances: list[dict[str, Any]]) -> None:
    """Send requests, and wait until each answer is captured."""
    before = captured(model)
    for start in range(0, len(instances), BATCH):
        predict(model.cloud, model.name, instances[start : start + BATCH])
    wait_for(lambda: captured(model) == before + len(instances), 60, lambda: f"{captured(model)} rows are captured")


def captured(model: ObservedModel) -> int:
    """Return the number of rows in the captures of a model."""
    s3, bucket = model.client("s3"), model.cloud.outputs["DataBucket"]
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=f"captures/model={model.name}/").get("Contents", [])
    return sum(len(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().splitlines()) for item in listed)


def left_by(model: ObservedModel) -> Content:
    """Return what the registry holds about a model."""
    outputs, s3 = model.cloud.outputs, model.client("s3")
    data, artifacts = outputs["DataBucket"], outputs["ArtifactBucket"]
    admin = model.cloud.admin.client("s3")  # nobody else may read all test rows

    def read(uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body: bytes = admin.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    listed = s3.list_object_versions(Bucket=data, Prefix=f"raw/{model.name}/")["Versions"]
    versions: dict[str, list[str]] = {}
    for version in sorted(listed, key=lambda version: version["LastModified"]):
        versions.setdefault(version["Key"], []).append(version["VersionId"])
    return content(items(model), Place({"data": data, "artifacts": artifacts}, read, versions))


def items(model: ObservedModel) -> list[dict[str, Any]]:
    """Return every item of the registry's table about a model."""
    dynamodb, found = model.cloud.admin.client("dynamodb"), []
    for page in dynamodb.get_paginator("scan").paginate(TableName=model.cloud.outputs["RegistryTable"]):
        for item in page["Items"]:
            plain = {name: next(iter(value.values())) for name, value in item.items()}
            about = (*plain["pk"].split("#"), plain["sk"])
            plain["body"] = json.loads(plain["body"])
            if model.name in (*about, plain["body"].get("model")):
                found.append(plain)
    return found
