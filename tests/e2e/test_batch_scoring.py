"""Batch scoring on the local cloud: a file that arrives is scored, whoever is killed in between."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import sys
import time
import urllib.error
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import LocalCloud
from tests.contract.rows import rows
from tests.e2e.observed_model import ObservedModel, wait_for
from tests.e2e.restartable_cloud import function_processes, kill_first_processes
from tests.e2e.signed_request import post, predict

MODEL = "scored-plums"
SECONDS = 90.0
FUNCTIONS = {"PlanScoring", "ScoreShard", "FinishScoring"}


class Scored:
    """The files of a model that are scored, as a client of S3 sees them."""

    def __init__(self, cloud: LocalCloud, model: str) -> None:
        self.s3, self.bucket, self.model = cloud.operator.client("s3"), cloud.outputs["DataBucket"], model

    def upload(self, name: str, text: str) -> None:
        self.s3.put_object(Bucket=self.bucket, Key=f"score/{self.model}/{name}", Body=text.encode())

    def ends(self, name: str, kind: str) -> list[dict[str, Any]]:
        """Return the manifests (or failures) of a file."""
        prefix = f"scored/{self.model}/{name}/"
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        return [json.loads(self.read(entry["Key"])) for entry in listed if entry["Key"].endswith(f"/{kind}.json")]

    def wait(self, name: str, kind: str = "manifest") -> dict[str, Any]:
        wait_for(lambda: bool(self.ends(name, kind)), SECONDS)
        return self.ends(name, kind)[0]

    def read(self, key: str) -> bytes:
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    def lines(self, manifest: dict[str, Any]) -> list[dict[str, str]]:
        texts = [self.read(file["key"]).decode() for file in manifest["results"]]
        return [line for text in texts for line in csv.DictReader(io.StringIO(text, newline=""))]


@pytest.fixture(scope="module")
def scored(cloud: LocalCloud) -> Scored:
    model = ObservedModel(cloud, MODEL)
    model.put_pipeline()
    model.upload("plums.csv")
    model.wait_for_runs(seconds=240)
    model.wait_until_live()
    return Scored(cloud, MODEL)


def test_a_file_that_arrives_is_scored_as_the_api_answers(cloud: LocalCloud, scored: Scored) -> None:
    text = rows(40, seed=5).splitlines()
    text.insert(11, "no row")
    scored.upload("may/new.csv", "\n".join(text) + "\n")
    manifest = scored.wait("may/new.csv")
    lines = scored.lines(manifest)
    assert (manifest["rows"], manifest["scored"], manifest["unread"], manifest["version"]) == (41, 40, 1, 1)
    assert [line["row"] for line in lines] == [str(number) for number in range(1, 42)]
    assert "line 12 is not a row" in lines[10]["unread"] and not lines[10]["prediction"]
    instances = [
        {
            name: float(value) if name in ("=weight (g)", "größe") and value else value or None
            for name, value in row.items()
        }
        for row in csv.DictReader(io.StringIO(rows(40, seed=5)))
    ]
    for instance in instances:
        del instance["is it, sour?"]
    answer = predict(cloud, MODEL, instances)
    assert [line["prediction"] for line in lines if line["prediction"]] == answer["predictions"]


@pytest.mark.usefixtures("project_variables", "scored")
def test_the_command_brings_the_results_beside_the_file(run: Any, tmp_path: Path) -> None:
    data = tmp_path / "my plums.csv"
    data.write_text(rows(30, seed=6))
    answer = run("score", MODEL, "--data", str(data))
    lines = list(csv.DictReader((tmp_path / "my plums.scored.csv").open(newline="")))
    assert (answer["rows"], answer["unread"], len(lines)) == (30, 0, 30)
    data.write_text(data.read_text() + "no row\n")
    answer = run("score", MODEL, "--data", str(data), "--out", str(tmp_path / "out.jsonl"), status=4)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert (answer["rows"], answer["unread"], len(lines)) == (31, 1, 31)
    assert answer["told"][0]["row"] == 31 and isinstance(lines[0]["probability_sour"], float)
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    assert "größe" in run("score", MODEL, "--data", str(tmp_path / "wrong.csv"), status=2)["detail"]
    assert run("score", "nobody", "--data", str(data), status=2)["error"] == "Unknown"


def test_a_file_that_cannot_be_used_gets_its_reason(scored: Scored) -> None:
    scored.upload("wrong.csv", "a,b\n1,2\n")
    failure = scored.wait("wrong.csv", "failed")
    assert "größe" in failure["error"] and "=weight (g)" in failure["error"] and failure["remedy"]
    assert not scored.ends("wrong.csv", "manifest")


def test_nobody_scores_predicts_learns_or_decides_for_a_model_that_does_not_exist(cloud: LocalCloud) -> None:
    nobody = Scored(cloud, "nobody")
    nobody.upload("rows.csv", rows(5, seed=1))
    for path, content in (
        ("predict", {"instances": [{}]}), ("feedback", {"outcomes": [{"prediction_id": "p", "outcome": "sour"}]}),
        ("decisions", {"decision": "rollback", "why": "wrong"}),
    ):  # fmt: skip
        with pytest.raises(urllib.error.HTTPError) as refused:
            post(cloud, f"/models/nobody/{path}", content)
        assert refused.value.code == 404 and "there is no model" in refused.value.read().decode()
    assert "there is no model nobody" in nobody.wait("rows.csv", "failed")["error"]


@pytest.mark.usefixtures("scored")
def test_outcomes_that_are_sent_twice_are_kept_once(cloud: LocalCloud) -> None:
    outcomes = {"outcomes": [{"prediction_id": f"p{number}", "outcome": "sour"} for number in range(3)]}
    s3, prefix = cloud.operator.client("s3"), f"feedback/{MODEL}/"
    for _ in range(2):
        assert post(cloud, f"/models/{MODEL}/feedback", outcomes)["outcomes"] == 3
    assert s3.list_objects_v2(Bucket=cloud.outputs["DataBucket"], Prefix=prefix)["KeyCount"] == 1


@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of functions in /proc")
def test_functions_that_are_killed_change_nothing(cloud: LocalCloud, scored: Scored) -> None:
    text = rows(500, seed=7)
    scored.upload("undisturbed.csv", text)
    expected = scored.wait("undisturbed.csv")
    stop_idle_processes(cloud)
    with kill_first_processes(cloud, FUNCTIONS) as killed:
        scored.upload("killed.csv", text)
        manifest = scored.wait("killed.csv")
    assert killed == FUNCTIONS
    assert [file["sha256"] for file in manifest["results"]] == [file["sha256"] for file in expected["results"]]
    assert not scored.ends("killed.csv", "failed")


def test_the_same_file_again_is_not_scored_again(cloud: LocalCloud, scored: Scored) -> None:
    text = rows(25, seed=8)
    scored.upload("again.csv", text)
    first = scored.wait("again.csv")
    states = cloud.operator.client("stepfunctions")
    machine = cloud.outputs["BatchScoringArn"]

    def succeeded() -> int:
        found = states.list_executions(stateMachineArn=machine, statusFilter="SUCCEEDED", maxResults=1000)
        return len(found["executions"])

    before = succeeded()
    scored.upload("again.csv", text)
    wait_for(lambda: succeeded() > before, SECONDS)
    assert scored.ends("again.csv", "manifest") == [first]


def stop_idle_processes(cloud: LocalCloud) -> None:
    """End the processes that wait for a call, so that the next call starts one, which is killed at work."""
    for pid, name in list(function_processes(cloud)):
        if name in FUNCTIONS:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)
