"""A person is erased on the local cloud: every byte of both buckets, the table and the logs is looked through."""

from __future__ import annotations

import csv
import io
import json
import random
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from modelcycle.registry import DynamoTable, Entry, Registry, RetrainingDecision, Write, keys
from modelcycle.registry.keys import Key
from tests.e2e.restartable_cloud import kill_first_processes
from tests.erased_model import decoded

pytestmark = [pytest.mark.usefixtures("project_variables"), pytest.mark.delivery]
MODEL = "erased"
SECOND = "K-100300"  # whose row the version has learned from
PERSON, CITY, INCOME = "K-777777", "Zwolle-Øst", 987654.37
NEEDLES = [
    PERSON.encode(), CITY.encode(), json.dumps(CITY).strip('"').encode(), b"987654", struct.pack("<f", INCOME),
    struct.pack("<d", INCOME),
]  # fmt: skip
COLUMNS = ["client", "city", "age", "income", "left"]
PIPELINE = f"name: {MODEL}\ntarget: left\nid_columns: [client]\ntraining: {{trials: 2}}\n"


def table(count: int, seed: int) -> list[list[Any]]:
    draw = random.Random(seed)
    made = []
    for number in range(count):
        age, income = draw.randint(18, 80), round(draw.gauss(50_000, 12_000), 2)
        left = "yes" if draw.random() < 1 / (1 + 2.7 ** ((income - 50_000) / 9_000 - (age - 50) / 15)) else "no"
        made.append([f"K-{100000 + number}", draw.choice(["Basel", "Graz", "Lyon"]), age, income, left])
    return made


def text(rows: list[list[Any]], columns: int = 5) -> str:
    body = io.StringIO()
    csv.writer(body).writerows([COLUMNS[:columns], *(row[:columns] for row in rows)])
    return body.getvalue()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rows = tmp_path_factory.mktemp("erased"), table(900, 5)
    for number in (77, 500, 501, 502, 888):
        rows[number] = [PERSON, CITY, 41, INCOME, "yes"]
    (folder / "erased.yaml").write_text(PIPELINE)
    (folder / "rows.csv").write_text(text(rows))
    (folder / "new.csv").write_text(text([*table(40, 6), rows[77]], 4))
    told = io.StringIO()
    csv.writer(told).writerows([["client", "outcome"], [PERSON, "yes"], ["K-100001", "no"]])
    (folder / "told.csv").write_text(told.getvalue())
    return folder


def everything(cloud: LocalCloud) -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of all versions of all objects, all records, all lines of all logs, and all histories.

    The history of an execution has the input and output of each of its states.
    """
    s3 = cloud.admin.client("s3")
    for bucket in (cloud.outputs["DataBucket"], cloud.outputs["ArtifactBucket"]):
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for one in page.get("Versions", []):
                body = s3.get_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])["Body"].read()
                yield f"{bucket}/{one['Key']}", one["Key"].encode() + b" " + body
                for part in decoded(body):
                    yield f"{bucket}/{one['Key']}", part
    for page in cloud.admin.client("dynamodb").get_paginator("scan").paginate(TableName=cloud.outputs["RegistryTable"]):
        for item in page["Items"]:
            yield f"{item['pk']['S']} {item['sk']['S']}", json.dumps(item, ensure_ascii=False).encode()
    logs = cloud.admin.client("logs")
    for page in logs.get_paginator("describe_log_groups").paginate():
        for group in page["logGroups"]:
            found = logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
            for events in found:
                yield group["logGroupName"], "\n".join(event["message"] for event in events["events"]).encode()
    states = cloud.admin.client("stepfunctions")
    for machine in states.list_state_machines()["stateMachines"]:
        for execution in states.list_executions(stateMachineArn=machine["stateMachineArn"])["executions"]:
            yield from history(states, execution["executionArn"])


def history(states: Any, execution: str) -> Iterator[tuple[str, bytes]]:
    for page in states.get_paginator("get_execution_history").paginate(executionArn=execution):
        yield execution, json.dumps(page["events"], default=str, ensure_ascii=False).encode()


def knows(cloud: LocalCloud) -> list[str]:
    return sorted({name for name, body in everything(cloud) if any(needle in body for needle in NEEDLES)})


def quote_in_records(cloud: LocalCloud) -> int:
    """Write sentences about the person into a record of each kind that may have some; return how many records."""
    registry = Registry(DynamoTable(cloud.admin.client("dynamodb"), cloud.outputs["RegistryTable"]))
    quote, at = f"city: '{CITY}' in 7 rows is new", datetime.now(UTC)
    registry.results.keep(MODEL, "preprocess", "f" * 64, {"notes": [quote]})
    registry.retrainings.put(
        MODEL, RetrainingDecision(request_id="q1", kind="ModelDegraded", at=at, decision="refused", why=""), None
    )
    for record in (
        registry.runs.read(MODEL, registry.runs.latest(MODEL)[0].run.run_id),
        registry.table.get(*keys.retraining_request(MODEL, "q1")),
        registry.table.get(*keys.retraining_decision(MODEL, at, "q1")),
    ):
        assert record is not None
        unit, field = registry.unit_of_work(MODEL), "reason" if "reason" in record.body else "why"
        unit.put(Write(*record.key, record.body | {field: quote}, record.revision, expires=record.expires))
        unit.audit(f"TEST#{record.sk}", Entry(subject="a record", decision="its reason", by="a test"))
        unit.commit()
    others = [keys.degradation(MODEL, 99, "2020-01-01"), Key(f"INCIDENT#{MODEL}", "X"), Key(f"EVENT#{MODEL}", "X")]
    registry.table.write(*(Write(*key, {"text": quote}) for key in others))
    return 4 + len(others)


def test_a_person_is_erased_whoever_is_killed_and_the_cycle_still_runs(
    cloud: LocalCloud, folder: Path, run: Any
) -> None:
    assert run("run", str(folder / "erased.yaml"), "--data", str(folder / "rows.csv"))["status"] == "deployed"
    run("predict", MODEL, "--data", str(folder / "new.csv"))
    run("score", MODEL, "--data", str(folder / "new.csv"), "--out", str(folder / "scored.csv"))
    run("feedback", MODEL, "--data", str(folder / "told.csv"))
    run("monitor", MODEL)
    quoting = quote_in_records(cloud)
    known = knows(cloud)
    assert len(known) > 10 and not [name for name in known if ":execution:" in name]
    assert run("erase", MODEL, "--subject", "client=nobody", "--yes")["objects"] == 0
    with kill_first_processes(cloud, {"PlanErasure", "EraseObjects", "FinishErasure"}) as killed:
        receipt = run("erase", MODEL, "--subject", f"client={PERSON}", "--why", "asked", "--yes")
    assert killed
    assert (receipt["rows"], receipt["held"], receipt["versions_that_learned"]) == (5, {}, [1])
    assert receipt["classes"]["records of the registry"]["objects"] == quoting
    assert knows(cloud) == []
    assert run("verify", MODEL)["ok"]
    assert len(run("runs", MODEL)["runs"]) == 1  # the file that was rewritten has started none
    assert run("show", MODEL)["erased"]["1"]["erasures"] == [receipt["erasure"]]
    exported = run("export", f"{MODEL}:1", "--to", str(folder / "exported"))
    assert exported["checked"] == "signed" and "model.onnx" in exported["erased"], "the erasure has signed the change"
    second = run("erase", MODEL, "--subject", f"client={SECOND}", "--yes")
    assert (second["versions_that_learned"], second["versions_by_lineage"]) == ([1], [1])
    assert run("verify", MODEL)["ok"]
    run("predict", MODEL, "--data", str(folder / "new.csv"), "--rows", "5")
    run("monitor", MODEL)
    again = run("run", str(folder / "erased.yaml"))
    assert again["status"] in ("deployed", "unchanged", "refused", "awaiting_approval") and again["version"] != 1
