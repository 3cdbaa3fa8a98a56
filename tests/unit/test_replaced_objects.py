"""Objects that are replaced under a condition: the bucket of S3 and the fake keep the same promises."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from modelcycle.faults import Raced
from modelcycle.store import ChangingStore, S3Store
from tests.fakes import MemoryStore


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChangingStore]:
    if request.param == "memory":
        yield MemoryStore("data")
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="data")
        yield S3Store(client, "data")


def test_an_object_is_replaced_by_who_has_read_its_present_content(store: ChangingStore) -> None:
    assert store.current("a") is None
    store.replace("a", b"1", None)
    first = store.current("a")
    assert first is not None and first[0] == b"1"
    store.replace("a", b"2", first[1])
    assert (store.current("a") or [b""])[0] == b"2"


def test_a_writer_that_was_overtaken_changes_nothing(store: ChangingStore) -> None:
    store.replace("a", b"1", None)
    found = store.current("a")
    assert found is not None
    with pytest.raises(Raced):
        store.replace("a", b"2", None)
    store.replace("a", b"3", found[1])
    with pytest.raises(Raced):
        store.replace("a", b"4", found[1])
    with pytest.raises(Raced):
        store.replace("b", b"5", found[1])
    assert (store.current("a") or [b""])[0] == b"3" and store.current("b") is None
