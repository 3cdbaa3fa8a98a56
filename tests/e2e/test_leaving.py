"""A stack is taken away, comes back with the data that it left, and goes for good: on the local cloud, whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from infra.deployment.bucket_events import PREFIX, wait_for_events
from infra.deployment.deploy import data_parameters
from infra.deployment.destroy import destroy, look, plan
from infra.deployment.existing_data import choose, find_kept
from infra.deployment.existing_settings import apply_settings
from infra.local import cloud as local
from infra.local.cloud import LocalCloud
from infra.local.deployment.deploy import STACK
from infra.local.deployment.stack import BUCKET
from tests.e2e.conftest import ROOT, CloudSite
from tests.e2e.observed_model import ObservedModel
from tests.e2e.restartable_cloud import RestartableCloud
from tests.e2e.signed_request import predict

pytestmark = pytest.mark.delivery

MODEL = "tide-height"
ROWS = [{"Wind (kn)": 3.5, "moon phase": "new"}, {"Wind (kn)": 18.0, "moon phase": "full"}]


def table(rows: int) -> str:
    random = np.random.default_rng(rows)
    lines = ["Wind (kn);moon phase;height above datum"]
    for _ in range(rows):
        wind, full = random.uniform(0, 20), bool(random.random() < 0.5)
        lines.append(f"{wind:.2f};{'full' if full else 'new'};{2 + 0.05 * wind + full + random.normal(0, 0.1):.3f}")
    return "\n".join(lines) + "\n"


def upload(cloud: LocalCloud, name: str, rows: int) -> ObservedModel:
    model = ObservedModel(cloud, MODEL)
    s3, bucket = model.client("s3"), cloud.outputs["DataBucket"]
    pipeline = f"name: {MODEL}\ntarget: height above datum\ntraining: {{trials: 2}}\n"
    s3.put_object(Bucket=bucket, Key=f"pipelines/{MODEL}.yaml", Body=pipeline.encode())
    s3.put_object(Bucket=bucket, Key=f"raw/{MODEL}/{name}.csv", Body=table(rows).encode())
    return model


@pytest.fixture(scope="module")
def site(project: CloudSite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RestartableCloud]:
    site = RestartableCloud(tmp_path_factory.mktemp("leaving") / "home", project.home)
    yield site
    local.down(home=site.site.home)


def names_left(client: Any) -> dict[str, list[str]]:
    """Return what of the stack an account would still pay for, or stumble over."""
    return {
        "buckets": [found["Name"] for found in client("s3").list_buckets()["Buckets"] if found["Name"] != BUCKET],
        "tables": client("dynamodb").list_tables()["TableNames"],
        "functions": [found["FunctionName"] for found in client("lambda").list_functions()["Functions"]],
        "layers": [found["LayerName"] for found in client("lambda").list_layers()["Layers"]],
        "logs": [found["logGroupName"] for found in client("logs").describe_log_groups()["logGroups"]],
        "queues": client("sqs").list_queues().get("QueueUrls", []),
        "rules": [found["Name"] for found in client("events").list_rules()["Rules"]],
        "schedules": [found["Name"] for found in client("scheduler").list_schedules()["Schedules"]],
        "secrets": [found["Name"] for found in client("secretsmanager").list_secrets()["SecretList"]],
        "machines": [found["name"] for found in client("stepfunctions").list_state_machines()["stateMachines"]],
        "streams": client("firehose").list_delivery_streams()["DeliveryStreamNames"],
        "alarms": [found["AlarmName"] for found in client("cloudwatch").describe_alarms()["MetricAlarms"]],
        "policies": [found["PolicyName"] for found in client("iam").list_policies(Scope="Local")["Policies"]],
        "apis": [found["name"] for found in client("apigateway").get_rest_apis()["items"]],
    }


def test_a_stack_leaves_its_data_finds_them_again_and_goes_for_good(site: RestartableCloud) -> None:
    first = site.cloud
    client = first.admin.client
    model = upload(first, "march", 400)
    model.wait_for_runs()
    model.wait_until_live()
    before = predict(first, MODEL, ROWS)
    # what people make beside a stack
    client("iam").create_user(UserName="ana")
    client("iam").attach_user_policy(UserName="ana", PolicyArn=first.outputs["OperatorPolicy"])
    client("secretsmanager").create_secret(Name=f"{STACK}/harbour", SecretString="one")
    client("secretsmanager").create_secret(Name=f"{STACK}2/harbour", SecretString="of another stack")
    client("scheduler").create_schedule(
        Name=f"{STACK}-{MODEL}", ScheduleExpression="rate(1 day)", FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": first.outputs["LifecycleArn"], "RoleArn": first.outputs["ScheduleRoleArn"], "Input": "{}"},
    )  # fmt: skip

    # Taken away: data, seals, keys and secret stay, nothing else.
    leaving = look(client, STACK)
    data = {first.outputs[name] for name in ("DataBucket", "ArtifactBucket", "SealBucket")}
    keys = {first.outputs[name].rpartition("/")[2] for name in ("SigningKey", "PseudonymKey")}
    assert {line for line in plan(leaving, data=False) if line.startswith("keeps")} == {
        *(f"keeps    bucket {name}" for name in data), *(f"keeps    key {key}" for key in keys),
        f"keeps    table {first.outputs['RegistryTable']}", f"keeps    secret {STACK}/harbour",
    }  # fmt: skip
    stays = destroy(client, leaving, data=False, say=lambda line: None)
    assert sum(line.startswith(("bucket ", "table ", "secret ", "key ")) for line in stays) == 7
    left = names_left(client)
    assert set(left.pop("buckets")) == data
    assert left.pop("tables") == [first.outputs["RegistryTable"]]
    assert set(left.pop("secrets")) == {f"{STACK}/harbour", f"{STACK}2/harbour"}
    own = {kind: [name for name in names if STACK in name] for kind, names in left.items()}
    assert not any(own.values()), own

    # A new stack finds them, without a new run: the same version answers the same.
    kept = choose(find_kept(client, STACK), "", STACK)
    assert kept is not None and not kept.missing
    existing = data_parameters(client, STACK, None, {}, "")
    assert existing.items() >= kept.parameters.items() and {"ExistingSigningKey", "ExistingPseudonymKey"} < {*existing}
    # the local cloud's operator may use what its stack has made; these buckets are of an earlier one
    second = replace(site.site.up(None, **existing), operator=first.admin)
    assert {second.outputs[name] for name in ("DataBucket", "ArtifactBucket", "SealBucket")} == data
    assert second.outputs["SigningKey"] == first.outputs["SigningKey"]
    after = predict(second, MODEL, ROWS)
    assert after["predictions"] == before["predictions"]
    lines: list[str] = []
    nested = {"Stack": STACK, "Environment": "dev", "AWS::StackName": "again", **existing}
    apply_settings(client, ROOT / "infra" / "storage.yaml", nested, lines.append)
    assert find_kept(client, STACK)[0].name == "again"
    # Events arrive, and the next upload trains the next version on what is there.
    assert wait_for_events(client, STACK, second.outputs["DataBucket"], lines.append, interval=1) is not None
    assert not client("s3").list_object_versions(Bucket=second.outputs["DataBucket"], Prefix=PREFIX).get("Versions")
    model = upload(second, "april", 500)
    newest, oldest = model.wait_for_runs(2)
    assert newest.version == 2 and oldest.version == 1, (newest, oldest)

    # Gone for good.
    gone = destroy(client, look(client, STACK), data=True, say=lambda line: None)
    assert {line.partition(" for ")[0] for line in gone} == {f"key {key}" for key in keys}, (
        "KMS deletes them in 30 days"
    )
    left = names_left(client)
    assert left.pop("secrets") == [f"{STACK}2/harbour"]
    own = {kind: [name for name in names if STACK in name] for kind, names in left.items()}
    assert not any(own.values()), own
    assert destroy(client, look(client, STACK), data=True, say=lambda line: None) in ([], gone)
