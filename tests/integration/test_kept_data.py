"""Kept data are found, and brought to the settings of the template."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from infra.deployment.deploy import data_parameters
from infra.deployment.emptying import delete_bucket
from infra.deployment.existing_data import KeptData, choose, find_all, find_kept, stream_of
from infra.deployment.existing_settings import apply_settings
from infra.deployment.faults import BadSetting, DataUnclear
from infra.deployment.stack import Stack
from tests.integration.kept_stack import STACK, Client, account_of_moto, keep, make_bucket, make_table, tags

ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    with account_of_moto(monkeypatch) as client:
        yield client


# Kept data are found


def test_the_data_of_a_stack_are_found_and_those_of_another_are_not(client: Client) -> None:
    mine = keep(client, "one")
    keep(client, "other", stack="modelcycle-staging")
    make_bucket(client, "not-ours", [{"Key": "modelcycle:holds", "Value": "data"}])
    assert find_kept(client, STACK) == [mine]
    assert choose([mine], "", STACK) == mine
    assert choose([mine], "new", STACK) is None
    assert choose([], "", STACK) is None


def test_of_two_sets_one_has_to_be_named(client: Client) -> None:
    one, two = keep(client, "one"), keep(client, "two")
    found = find_kept(client, STACK)
    with pytest.raises(DataUnclear, match="2 sets of data") as raised:
        choose(found, "", STACK)
    assert "KEPT=one-Registry or KEPT=two-Registry or KEPT=new" in raised.value.remedy
    assert choose(found, two.registry, STACK) == two
    assert one in found
    with pytest.raises(DataUnclear, match="no kept data"):
        choose(found, "three-Registry", STACK)


@pytest.mark.parametrize(
    ("without", "named"), [("data", "data bucket"), ("artifacts", "artifact bucket"), ("registry", "registry")]
)
def test_a_set_that_lacks_a_part_is_not_taken_silently(client: Client, without: str, named: str) -> None:
    keep(client, "one", without=without)
    with pytest.raises(DataUnclear, match=f"without their {named}"):
        choose(find_kept(client, STACK), "", STACK)


def test_a_new_stack_gets_the_parameters_and_one_that_exists_keeps_its_own(client: Client) -> None:
    data = keep(client, "one")
    given = data_parameters(client, STACK, None, {}, "")
    stream = given.pop("ExistingRegistryStream")
    assert given == {
        "ExistingDataBucket": data.data, "ExistingArtifactBucket": data.artifacts, "ExistingRegistry": data.registry,
    }  # fmt: skip
    assert stream == client("dynamodb").describe_table(TableName=data.registry)["Table"]["LatestStreamArn"]
    exists = Stack(STACK, "arn", "UPDATE_COMPLETE", False)
    assert data_parameters(client, STACK, exists, {}, "") == {}
    # a table that was restored from a backup, named by a person
    make_table(client, "restored", [])
    restored = data_parameters(client, STACK, exists, {"ExistingRegistry": "restored"}, "")
    assert (
        restored["ExistingRegistry"] == "restored" and ":table/restored/stream/" in restored["ExistingRegistryStream"]
    )


def test_the_seals_of_kept_records_come_with_them(client: Client) -> None:
    data = keep(client, "one")
    assert "ExistingSealBucket" not in data_parameters(client, STACK, None, {}, "")
    for number, registry in enumerate((data.registry, "another-registry")):
        marked = [*tags(STACK, "sealing", "seals"), {"Key": "modelcycle:registry", "Value": registry}]
        make_bucket(client, f"seals-{number}", marked)
    assert data_parameters(client, STACK, None, {}, "")["ExistingSealBucket"] == "seals-0"


def test_a_bucket_of_seals_can_be_deleted_with_the_data(client: Client) -> None:
    client("s3").create_bucket(Bucket="seals", ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 400}}
    client("s3").put_object_lock_configuration(
        Bucket="seals", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    version = client("s3").put_object(Bucket="seals", Key="seals/2026/01/01.json", Body=b"{}")["VersionId"]
    with pytest.raises(ClientError, match="AccessDenied"):
        client("s3").delete_object(Bucket="seals", Key="seals/2026/01/01.json", VersionId=version)
    assert delete_bucket(client("s3"), "seals") == 1 and delete_bucket(client("s3"), "seals") is None


def test_a_table_whose_stream_shows_no_images_is_refused(client: Client) -> None:
    make_table(client, "keys", [], StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"})
    with pytest.raises(BadSetting, match="KEYS_ONLY"):
        stream_of(client, "keys")
    with pytest.raises(BadSetting, match="no table none"):
        stream_of(client, "none")


# ... and get the template's settings


def parameters(data: KeptData, **more: str) -> dict[str, str]:
    return {
        "Stack": STACK,
        "AWS::StackName": "new-set",
        "Environment": "dev",
        "DataKey": "none",
        "ModelKey": "same",
        "LogKey": "same",
        "BucketLogs": "none",
        **data.parameters,
        **more,
    }


def remember_notifications(client: Client, monkeypatch: pytest.MonkeyPatch, before: dict[str, Any]) -> dict[str, Any]:
    """Let S3 answer with the notifications it was given: moto keeps EventBridge's and does not return it."""
    told: dict[str, Any] = {}

    def put(Bucket: str, NotificationConfiguration: dict[str, Any]) -> None:  # noqa: N803
        told[Bucket] = NotificationConfiguration

    def get(Bucket: str) -> dict[str, Any]:  # noqa: N803
        return {"ResponseMetadata": {}, **told.get(Bucket, before)}

    monkeypatch.setattr(client("s3"), "put_bucket_notification_configuration", put)
    monkeypatch.setattr(client("s3"), "get_bucket_notification_configuration", get)
    return told


def test_kept_data_get_the_settings_of_the_template_and_keep_their_other_tags_and_targets(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = keep(client, "one")
    others = {"QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1:1:watch", "Events": ["s3:ObjectCreated:*"]}]}
    told = remember_notifications(client, monkeypatch, others)
    said: list[str] = []
    apply_settings(client, ROOT / "infra" / "storage.yaml", parameters(data), said.append)
    s3, dynamodb = client("s3"), client("dynamodb")
    rules = {rule["ID"] for rule in s3.get_bucket_lifecycle_configuration(Bucket=data.data)["Rules"]}
    assert {"captures", "to-score", "old-versions"} <= rules
    assert told == {data.data: {"EventBridgeConfiguration": {}, **others}}
    assert s3.get_public_access_block(Bucket=data.artifacts)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"]
    assert (
        dynamodb.describe_time_to_live(TableName=data.registry)["TimeToLiveDescription"]["AttributeName"] == "expires"
    )
    recovery = dynamodb.describe_continuous_backups(TableName=data.registry)["ContinuousBackupsDescription"]
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    kept_tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket=data.data)["TagSet"]}
    assert kept_tags["team"] == "risk" and kept_tags["modelcycle:set"] == "new-set"
    assert len(said) >= 5
    # a second time there is nothing to do
    said.clear()
    apply_settings(client, ROOT / "infra" / "storage.yaml", parameters(data), said.append)
    assert said == []


def test_a_stack_that_has_made_its_data_itself_is_left_alone(client: Client) -> None:
    def no_client(service: str) -> Any:
        raise AssertionError(service)

    apply_settings(no_client, ROOT / "infra" / "storage.yaml", {"Stack": STACK, "ExistingRegistry": ""}, print)


def test_a_restored_table_takes_the_place_of_the_one_before_for_the_next_stack_too(client: Client) -> None:
    data = keep(client, "one")
    make_table(client, "restored", [])
    used = {"Stack": STACK, "AWS::StackName": "one", "Environment": "prod", "ExistingRegistry": "restored"}
    apply_settings(client, ROOT / "infra" / "storage.yaml", used, lambda line: None)
    (found,) = find_kept(client, STACK)
    assert (found.registry, found.data) == ("restored", data.data)
    assert client("dynamodb").describe_table(TableName="restored")["Table"]["DeletionProtectionEnabled"]
    assert set(find_all(client, STACK)["tables"]) == {"restored", data.registry}
