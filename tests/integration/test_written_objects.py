"""What an uploader has written beside an object: of the very version that was uploaded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from modelcycle.store import S3Store, Written

KEY = "raw/m/a.csv"


@pytest.fixture(params=["Enabled", "Suspended"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        made = boto3.client("s3", region_name="us-east-1")
        made.create_bucket(Bucket="data")
        if request.param == "Enabled":
            made.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
        yield made


def is_versioned(client: Any) -> bool:
    return bool(client.get_bucket_versioning(Bucket="data").get("Status") == "Enabled")


def test_metadata_and_tags_are_those_of_the_upload(client: Any) -> None:
    put = client.put_object(Bucket="data", Key=KEY, Body=b"one", Metadata={"by": "ann"}, Tagging="who=ann%2Fb")
    etag = put["ETag"].strip('"')
    found = S3Store(client, "data").written(KEY, etag)
    assert isinstance(found, Written) and found.metadata == {"by": "ann"} and found.modified > 0
    assert found.tags == ({"who": "ann/b"} if is_versioned(client) else {}), "an object without versions proves nothing"
    assert S3Store(client, "data").written(KEY) == found


def test_nothing_is_known_of_an_upload_that_was_replaced_or_deleted(client: Any) -> None:
    first = client.put_object(Bucket="data", Key=KEY, Body=b"one", Tagging="who=ann")["ETag"].strip('"')
    client.put_object(Bucket="data", Key=KEY, Body=b"two", Tagging="who=bob")
    store = S3Store(client, "data")
    assert store.written(KEY, first) is None
    client.delete_object(Bucket="data", Key=KEY)
    assert store.written(KEY, first) is None and store.written("raw/m/b.csv") is None
