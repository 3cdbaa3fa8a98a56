"""Every role in a running cloud, over HTTP: it reaches what docs/security.md lists, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.local.clients import REGION
from infra.local.cloud import LocalCloud
from infra.local.emulator.used_permissions import TRIAL
from tests.e2e.test_permissions import role_of
from tests.permission_tables import documented, may_reach, may_touch, objects, partition_keys, roles

MODEL = "tried-by-roles"
ABSENT = {"ConditionExpression": "attribute_exists(absent)"}  # so that no record is written
ROLES = roles()


@pytest.fixture(scope="module")
def filled(cloud: LocalCloud) -> LocalCloud:
    """The cloud with an object in each area."""
    for _, arn in objects(MODEL):
        bucket, key = place(cloud, arn)
        cloud.admin.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    return cloud


def place(cloud: LocalCloud, arn: str) -> tuple[str, str]:
    """Return the bucket and the key of an object of the tables."""
    bucket, _, key = arn.rpartition(":::")[2].partition("/")
    output = {"data": "DataBucket", "seals": "SealBucket"}.get(bucket, "ArtifactBucket")
    return cloud.outputs[output], key


def clients(cloud: LocalCloud, function: str) -> tuple[Any, Any]:
    """Return clients of DynamoDB and S3 with the credentials of a function's role."""
    sts = cloud.admin.client("sts")
    arn = f"arn:aws:iam::{sts.get_caller_identity()['Account']}:role/{role_of(cloud, function)}"
    credentials = sts.assume_role(RoleArn=arn, RoleSessionName=TRIAL)["Credentials"]
    session = boto3.Session(
        credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"], REGION
    )
    config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
    made = [session.client(name, endpoint_url=cloud.endpoint, config=config) for name in ("dynamodb", "s3")]
    return made[0], made[1]


def is_allowed(call: Any, **request: Any) -> bool:
    """Return whether a request passed the policies; a failed condition has passed them."""
    try:
        call(**request)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in ("AccessDeniedException", "AccessDenied", "TransactionCanceledException"), error
        return code == "TransactionCanceledException"
    return True


def record_requests(dynamodb: Any, table: str, key: str) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield one request of each action on a partition key."""
    yield "reads", dynamodb.get_item, {"TableName": table, "Key": {"pk": {"S": key}, "sk": {"S": "x"}}}
    yield "lists", dynamodb.query, {
        "TableName": table, "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": key}},
    }  # fmt: skip
    put = {"TableName": table, "Item": {"pk": {"S": key}, "sk": {"S": "x"}}} | ABSENT
    yield "writes", dynamodb.transact_write_items, {"TransactItems": [{"Put": put}]}


@pytest.mark.parametrize("function", ROLES)
def test_a_role_reaches_its_kinds_of_records_and_no_others(cloud: LocalCloud, function: str) -> None:
    dynamodb, _ = clients(cloud, function)
    row, step, table = documented("Records")[function], ROLES[function], cloud.outputs["RegistryTable"]
    for key in partition_keys(MODEL):
        for column, call, request in record_requests(dynamodb, table, key):
            assert is_allowed(call, **request) == may_reach(getattr(row, column), key, step), (column, key)
    assert not is_allowed(dynamodb.scan, TableName=table)


def test_a_transaction_is_refused_if_one_of_its_records_is(cloud: LocalCloud) -> None:
    """RunTrial may write its results; a move of traffic cannot ride along with one."""
    dynamodb, _ = clients(cloud, "RunTrial")
    table = cloud.outputs["RegistryTable"]

    def puts(*keys: str) -> list[dict[str, Any]]:
        items = [{"TableName": table, "Item": {"pk": {"S": key}, "sk": {"S": "x"}}} | ABSENT for key in keys]
        return [{"Put": item} for item in items]

    own, others = f"RESULT#run_trial#{MODEL}", (f"ROUTE#{MODEL}", f"RESULT#validate#{MODEL}", f"AUDIT#{MODEL}")
    assert is_allowed(dynamodb.transact_write_items, TransactItems=puts(own))
    for other in others:
        for keys in ((own, other), (other, own)):
            assert not is_allowed(dynamodb.transact_write_items, TransactItems=puts(*keys)), keys


@pytest.mark.parametrize("function", ROLES)
def test_a_role_reaches_its_areas_of_the_buckets_and_no_others(filled: LocalCloud, function: str) -> None:
    _, s3 = clients(filled, function)
    row = documented("Objects")[function]

    def differences(item: Any) -> list[tuple[str, str]]:
        bucket, key = place(filled, item.address)
        tried = {
            "reads": is_allowed(s3.get_object, Bucket=bucket, Key=key),
            "writes": is_allowed(s3.put_object, Bucket=bucket, Key=key, Body=b"x"),
        }
        expected = {column: may_touch(getattr(row, column), item.name) for column in tried}
        return [(column, item.name) for column in tried if tried[column] != expected[column]]

    with ThreadPoolExecutor(2) as pool:
        assert not [difference for found in pool.map(differences, objects(MODEL)) for difference in found]
    for name, bucket in (("data", "DataBucket"), ("artifacts", "ArtifactBucket")):
        assert is_allowed(s3.list_objects_v2, Bucket=filled.outputs[bucket]) == (name in row.lists), bucket
