"""The adapter of the sweep against moto: versions in order, their hashes, and what is gone for good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from modelcycle.expiring_store import S3ExpiringStore
from modelcycle.store import S3Store

BUCKET = "data"


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


def test_versions_come_oldest_first_with_their_hashes_and_go_for_good(client: Any) -> None:
    store = S3ExpiringStore(client, BUCKET)
    for body in (b"one", b"two"):
        client.put_object(Bucket=BUCKET, Key="raw/m/a.csv", Body=body)
    client.delete_object(Bucket=BUCKET, Key="raw/m/a.csv")
    written = S3Store(client, BUCKET).put("raw/m/b.csv", b"three")
    versions = list(store.versions("raw/m/"))
    assert [(one.key, one.is_marker) for one in versions] == [
        ("raw/m/a.csv", False), ("raw/m/a.csv", False), ("raw/m/a.csv", True), ("raw/m/b.csv", False)
    ]  # fmt: skip
    first, second, _, third = versions
    assert (store.digest(first) or "").startswith("7692c3ad3540bb80")  # of "one", which has no recorded hash
    assert store.digest(first) != store.digest(second)
    assert store.digest(third) == written.sha256
    assert store.delete(versions[:3]) == 0
    assert list(store.versions("raw/m/")) == [third]
    assert store.digest(first) is None
    assert store.delete([first, third]) == 0  # one of them is gone already
    assert list(store.versions("")) == []


def test_a_key_whose_versions_are_on_two_pages_is_yielded_whole(client: Any) -> None:
    for number in range(3):
        client.put_object(Bucket=BUCKET, Key=f"k{number}", Body=b"x")
        client.put_object(Bucket=BUCKET, Key=f"k{number}", Body=b"y")
    store = S3ExpiringStore(client, BUCKET)
    listed, original = [], client.list_object_versions

    def in_small_pages(**request: Any) -> Any:
        listed.append(request)
        return original(**request, MaxKeys=3)

    client.list_object_versions = in_small_pages
    versions = list(store.versions(""))
    assert len(listed) > 1
    assert [one.key for one in versions] == ["k0", "k0", "k1", "k1", "k2", "k2"]
    assert all(first.modified <= second.modified for first, second in zip(versions[::2], versions[1::2], strict=True))
