"""Sources on the local cloud: a database by its secret, files elsewhere, a schedule; each role only its own."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli.place import Credentials, Place
from cli.schedules import set_schedules
from cli.secret import store
from infra.local.cloud import LocalCloud
from infra.local.emulator.used_permissions import TRIAL
from modelcycle.spec import parse
from tests.contract.rows import rows
from tests.e2e.observed_model import UNHURRIED, ObservedModel
from tests.e2e.test_permissions import role_of

PIPELINE = 'name: {name}\ntarget: "is it, sour?"\ntraining: {{trials: 1}}\nsource: {source}\n'


@pytest.fixture(scope="module")
def place(cloud: LocalCloud) -> Place:
    session = cloud.operator
    return Place("local", session, cloud.outputs, Credentials(*session.credentials()), endpoint=cloud.endpoint)


def pulled_model(place: Place, cloud: LocalCloud, name: str, source: str) -> ObservedModel:
    model = ObservedModel(cloud, name)
    text = (PIPELINE.format(name=name, source=source) + UNHURRIED).encode()
    place.s3.put_object(Bucket=place.output("DataBucket"), Key=f"pipelines/{name}.yaml", Body=text)
    return model


def start(place: Place, model: str) -> None:
    event = {"source": "modelcycle", "detail-type": "RunRequested", "detail": {"model": model, "by": "ann"}}
    place.states.start_execution(stateMachineArn=place.output("LifecycleArn"), input=json.dumps(event))


def collected(place: Place, model: ObservedModel) -> Any:
    """The result of the state Collect of the newest run."""
    arn = model.runs()[0].run.execution
    history = place.states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    exited = [event["stateExitedEventDetails"] for event in history if "stateExitedEventDetails" in event]
    return json.loads(next(state["output"] for state in exited if state["name"] == "Collect"))["collect"]


def test_a_table_and_files_elsewhere_give_the_same_rows_and_go_live(
    place: Place, cloud: LocalCloud, tmp_path: Path
) -> None:
    text = rows(600, 1)
    header, *lines = csv.reader(text.splitlines())
    with sqlite3.connect(tmp_path / "plums.db") as connection:
        columns = ", ".join(f'"{name.replace(chr(34), chr(34) * 2)}" TEXT' for name in header)
        connection.execute(f"CREATE TABLE plums ({columns})")
        marks = ", ".join("?" * len(header))
        connection.executemany(f"INSERT INTO plums VALUES ({marks})", lines)
    connection.close()
    store(place, "plums", f"sqlite:///{tmp_path}/plums.db")
    place.s3.put_object(Bucket=place.output("DataBucket"), Key="shared/plums/a.csv", Body=text.encode())
    contents = []
    for name, source in (
        ("table-plums", "{type: sql, secret: plums, table: plums}"),
        ("shared-plums", "{type: s3, prefix: shared/plums/}"),
    ):
        model = pulled_model(place, cloud, name, source)
        start(place, name)
        assert model.wait_for_runs(1)[0].state == "deployed"
        result = collected(place, model)
        assert result["rows"] == 600
        contents.append(result["content"])
    assert contents[0] == contents[1]
    start(place, "table-plums")
    assert ObservedModel(cloud, "table-plums").wait_for_runs(2)[0].state == "unchanged"


def test_the_uploads_of_another_model_are_pulled_too(place: Place, cloud: LocalCloud) -> None:
    place.s3.put_object(Bucket=place.output("DataBucket"), Key="raw/others/a.csv", Body=rows(20, 1).encode())
    model = pulled_model(place, cloud, "borrowing-plums", "{type: s3, prefix: raw/others/}")
    (file,) = model.invoke("Pull", model=model.name)["files"]
    assert (file["source"], file["key"].startswith(f"landed/{model.name}/")) == ("main", True)


def test_a_schedule_is_made_and_removed_with_the_pipeline_file(place: Place) -> None:
    client = place.client("scheduler")
    for every, expected in ((", every: 2 hours", "rate(2 hours)"), ("", None)):
        source = f"{{type: sql, secret: plums, table: plums{every}}}"
        set_schedules(place, parse(PIPELINE.format(name="timed-plums", source=source)))
        try:
            found = client.get_schedule(Name="modelcycle-timed-plums")["ScheduleExpression"]
        except client.exceptions.ResourceNotFoundException:
            found = None
        assert found == expected


def test_only_pull_may_read_a_secret_and_only_those_of_this_stack(place: Place, cloud: LocalCloud) -> None:
    store(place, "plums", "sqlite:////nowhere.db")
    cloud.admin.client("secretsmanager").create_secret(Name="other-stack/plums", SecretString="theirs")
    allowed = set()
    for function in ("Pull", "Collect", "Claim", "Preprocess"):
        keys = cloud.admin.client("sts").assume_role(RoleArn=_arn(cloud, function), RoleSessionName=TRIAL)[
            "Credentials"
        ]
        for secret in ("modelcycle/plums", "other-stack/plums"):
            try:
                _secrets_as(cloud, keys).get_secret_value(SecretId=secret)
                allowed.add((function, secret))
            except ClientError as error:
                assert "AccessDenied" in error.response["Error"]["Code"]
    assert allowed == {("Pull", "modelcycle/plums")}


def _arn(cloud: LocalCloud, function: str) -> str:
    arn: str = cloud.admin.client("iam").get_role(RoleName=role_of(cloud, function))["Role"]["Arn"]
    return arn


def _secrets_as(cloud: LocalCloud, keys: Any) -> Any:
    import boto3

    return boto3.client(
        "secretsmanager", endpoint_url=cloud.endpoint, region_name="us-east-1",
        aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )  # fmt: skip
