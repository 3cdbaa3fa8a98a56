"""What a deleted stack leaves in an account of moto, and the clients of that account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.deployment.existing_data import KeptData

STACK = "modelcycle-dev"
Client = Callable[[str], Any]


@contextmanager
def account_of_moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Yield what returns a client of a service, always the same one."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        clients: dict[str, Any] = {}

        def client(service: str) -> Any:
            return clients.setdefault(service, boto3.client(service, region_name="us-east-1"))

        yield client


def tags(stack: str, name: str, holds: str) -> list[dict[str, str]]:
    found = {"modelcycle:stack": stack, "modelcycle:set": name, "modelcycle:holds": holds, "team": "risk"}
    return [{"Key": key, "Value": value} for key, value in found.items()]


def make_bucket(client: Client, bucket: str, tag_set: list[dict[str, str]]) -> None:
    client("s3").create_bucket(Bucket=bucket)
    client("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tag_set})
    client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def make_table(client: Client, table: str, tag_set: list[dict[str, str]], **more: Any) -> str:
    arn: str = client("dynamodb").create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST", Tags=tag_set,
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}], **more,
    )["TableDescription"]["TableArn"]  # fmt: skip
    return arn


def keep(client: Client, name: str, stack: str = STACK, without: str = "") -> KeptData:
    """Make a set of data as a deleted stack leaves it."""
    data = KeptData(name, f"{name}-data", f"{name}-artifacts", f"{name}-Registry")
    if without != "data":
        make_bucket(client, data.data, tags(stack, name, "data"))
    if without != "artifacts":
        make_bucket(client, data.artifacts, tags(stack, name, "artifacts"))
    if without != "registry":
        make_table(client, data.registry, tags(stack, name, "registry"), SSESpecification={"Enabled": True})
    return data


def with_tags_of_keys(client: Client) -> Client:
    """Return clients that find keys by their tags, as AWS does: moto's tagging API knows no keys."""
    kms, tagging = client("kms"), client("resourcegroupstaggingapi")

    class Tagging:
        def get_paginator(self, name: str) -> Any:
            return self

        def paginate(self, **request: Any) -> Any:
            if request["ResourceTypeFilters"] != ["kms:key"]:
                return tagging.get_paginator("get_resources").paginate(**request)
            found = []
            for key in kms.list_keys()["Keys"]:
                own = {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=key["KeyId"])["Tags"]}
                if all(own.get(wanted["Key"]) in wanted["Values"] for wanted in request["TagFilters"]):
                    listed = [{"Key": name, "Value": value} for name, value in own.items()]
                    found.append({"ResourceARN": key["KeyArn"], "Tags": listed})
            return [{"ResourceTagMappingList": found}]

    return lambda service: Tagging() if service == "resourcegroupstaggingapi" else client(service)
