"""The function Pull: a run over a source, from the first state to a live model, and what it may say."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from modelcycle import aws
from modelcycle.faults import Unknown
from tests.contract.conftest import World
from tests.contract.functions import functions
from tests.contract.rows import SECRET, rows
from tests.contract.test_check_step import logged

NAME = "pulled-plums"
PIPELINE = f"""
name: {NAME}
target: sour
source: {{type: sql, secret: plums, table: plums, watermark: id}}
training: {{trials: 1, algorithms: [linear]}}
"""
REQUEST = {"source": "modelcycle", "detail-type": "RunScheduled", "detail": {"model": NAME, "reason": "every 1 hour"}}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pull") / "plums.db"
    _, *lines = csv.reader(rows().splitlines())
    with sqlite3.connect(path) as connection:
        columns = "id INTEGER, weight REAL, size REAL, kind TEXT, day TEXT, washed TEXT, sour TEXT"
        connection.execute(f"CREATE TABLE plums ({columns})")
        connection.executemany(
            "INSERT INTO plums VALUES (?,?,?,?,?,?,?)",
            [[number, *(value or None for value in line)] for number, line in enumerate(lines)],
        )
    connection.close()
    return path


@pytest.fixture
def pulled(world: World, database: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("STACK", "plum-stack")
    aws.adapters.cache_clear()
    boto3.client("s3").put_object(Bucket="data", Key=f"pipelines/{NAME}.yaml", Body=PIPELINE.encode())
    boto3.client("secretsmanager").create_secret(Name="plum-stack/plums", SecretString=f"sqlite:///{database}")
    yield world
    boto3.client("secretsmanager").delete_secret(SecretId="plum-stack/plums", ForceDeleteWithoutRecovery=True)
    aws.adapters.cache_clear()


def test_a_scheduled_run_pulls_trains_and_goes_live_and_a_second_one_changes_nothing(pulled: World) -> None:
    end, data = pulled.run(REQUEST, "arn:execution:scheduled-1")
    assert end == "Deployed", data
    assert (data["pull"]["rows"], data["collect"]["rows"]) == (900, 900)
    assert data["run"]["trigger"] == {"kind": "schedule", "detail": "every 1 hour"}
    end, data = pulled.run(REQUEST, "arn:execution:scheduled-2")
    assert (end, data["pull"]["rows"], data["collect"]["cached"]) == ("Unchanged", 0, True)
    before = pulled.registry()
    event = pulled.given["Pull"][0]
    with logged("Pull") as lines:
        again = functions()["Pull"](event)
    assert (again["rows"], pulled.registry()) == (0, before)
    told = json.dumps(lines(), ensure_ascii=False)
    assert NAME in told
    assert SECRET not in told
    assert "sqlite" not in told


def test_a_secret_that_is_missing_ends_the_run_with_a_sentence(pulled: World) -> None:
    text = PIPELINE.replace("secret: plums", "secret: gone").replace(NAME, "gone-plums")
    boto3.client("s3").put_object(Bucket="data", Key="pipelines/gone-plums.yaml", Body=text.encode())
    with pytest.raises(Unknown, match="there is no secret gone") as caught:
        functions()["Pull"]({"model": "gone-plums"})
    assert "modelcycle secret gone" in caught.value.remedy


def test_an_upload_to_a_model_without_a_source_does_not_go_through_pull(lived: World) -> None:
    claims: list[Any] = [answer for answer in lived.answered["Claim"] if answer["outcome"] == "claimed"]
    pulls = {answer["run"]["model"]: answer["pulls"] for answer in claims}
    assert pulls["sour-plums"] is False
