"""The versions of objects in S3 (moto): listed, rewritten, deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from modelcycle.erasing_store import ObjectVersion, S3ErasingStore
from modelcycle.faults import Raced, Tampered, Unknown
from modelcycle.registry import Registry
from modelcycle.store import S3Store
from tests.fakes import MemoryTable
from tests.integration.kept_stack import account_of_moto, make_bucket


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3ErasingStore]:
    with account_of_moto(monkeypatch) as client:
        make_bucket(client, "data", [{"Key": "a", "Value": "b"}])
        yield S3ErasingStore(client("s3"), "data")


def put(store: S3ErasingStore, key: str, body: bytes) -> None:
    store.client.put_object(Bucket="data", Key=key, Body=body, Metadata={"who": "me"})


def listed(store: S3ErasingStore, prefix: str = "raw/") -> list[ObjectVersion]:
    return list(store.versions(prefix))


def newest(store: S3ErasingStore, key: str) -> ObjectVersion:
    return next(one for one in store.versions(key) if one.key == key and one.latest)


def test_versions_of_a_key_follow_each_other_the_newest_first_over_pages(
    store: S3ErasingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        put(store, "raw/a.csv", b"%d" % number)
        put(store, "raw/b.csv", b"%d" % number)
    store.hide(newest(store, "raw/b.csv"))
    whole = store.client.list_object_versions
    monkeypatch.setattr(store.client, "list_object_versions", lambda **request: whole(**request, MaxKeys=3))
    found = listed(store)
    assert [one.key for one in found] == ["raw/a.csv"] * 4 + ["raw/b.csv"] * 5
    assert [one.latest for one in found] == [True] + [False] * 3 + [True] + [False] * 4
    assert [one.deleted for one in found] == [False] * 4 + [True] + [False] * 4
    assert all(newer.modified >= older.modified for newer, older in pairwise(found[:4]))


def test_an_object_is_rewritten_with_its_metadata_unless_somebody_was_faster(
    store: S3ErasingStore, tmp_path: Path
) -> None:
    put(store, "raw/a.csv", b"one")
    (one,) = listed(store)
    metadata = store.download_version(one, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"one" and metadata["who"] == "me"
    written = store.rewrite(one, b"two", metadata)
    head = store.client.head_object(Bucket="data", Key="raw/a.csv")
    assert head["Metadata"] == {"who": "me", "sha256": hashlib.sha256(b"two").hexdigest()}
    assert (head["ETag"].strip('"'), head["VersionId"]) == (written.etag, written.version)
    with pytest.raises(Raced):
        store.rewrite(one, b"three", metadata)


def test_what_is_deleted_is_gone_and_deleting_it_again_is_no_error(store: S3ErasingStore, tmp_path: Path) -> None:
    put(store, "raw/a.csv", b"one")
    (one,) = listed(store)
    store.hide(one)
    for _ in range(2):
        for version in [*listed(store), one]:
            store.delete_version(version)
    assert listed(store) == []
    with pytest.raises(Unknown):
        store.download_version(one, tmp_path / "x")


def test_an_upload_that_arrives_while_its_predecessor_is_hidden_stays_readable(
    store: S3ErasingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "raw/a.csv", b"monday")
    monday = newest(store, "raw/a.csv")
    delete = store.client.delete_object

    def delete_after_an_upload(**request: str) -> object:
        if "VersionId" not in request:
            put(store, "raw/a.csv", b"tuesday")
            request.pop("IfMatch")  # a service that ignores it
        return delete(**request)

    monkeypatch.setattr(store.client, "delete_object", delete_after_an_upload)
    with pytest.raises(Raced):
        store.hide(monday)
    assert store.client.get_object(Bucket="data", Key="raw/a.csv")["Body"].read() == b"tuesday"
    with pytest.raises(Raced):  # called again
        store.hide(monday)
    assert [one.deleted for one in listed(store)] == [False, False]


def test_the_service_is_asked_to_hide_only_what_was_looked_at(
    store: S3ErasingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "raw/a.csv", b"monday")
    one = newest(store, "raw/a.csv")
    asked: list[dict[str, str]] = []
    delete = store.client.delete_object
    monkeypatch.setattr(store.client, "delete_object", lambda **request: asked.append(request) or delete(**request))
    store.hide(one)
    assert [request["IfMatch"] for request in asked] == [one.etag]


def test_an_artifact_that_an_erasure_wrote_anew_is_read_by_its_former_address_and_no_other_change_is_believed(
    store: S3ErasingStore, tmp_path: Path
) -> None:
    registry = Registry(MemoryTable())
    reader = S3Store(store.client, "data", replacement=registry.erasures.replacement)
    artifact = reader.put("m/runs/r1/x.json", b"one")
    (one,) = listed(store, "m/")
    # whoever can write an object can write its metadata: they prove nothing
    store.rewrite(one, b"forged", {})
    with pytest.raises(Tampered):
        reader.read(artifact)
    assert reader.missing([artifact]) == [artifact]
    now = hashlib.sha256(b"two").hexdigest()
    registry.erasures.rewrite("m", "data", "m/runs/r1/x.json", artifact.sha256, now, 3)
    with pytest.raises(Tampered):
        reader.fetch(artifact, tmp_path)
    store.rewrite(next(one for one in listed(store, "m/") if one.latest), b"two", {})
    assert reader.read(artifact) == b"two" and reader.missing([artifact]) == []
    assert reader.fetch(artifact, tmp_path).read_bytes() == b"two"
    third = hashlib.sha256(b"three").hexdigest()  # a second erasure: the first address still leads to it
    registry.erasures.rewrite("m", "data", "m/runs/r1/x.json", now, third, 5)
    store.rewrite(next(one for one in listed(store, "m/") if one.latest), b"three", {})
    assert reader.read(artifact) == b"three"
    registry.erasures.rewrite("m", "data", "m/runs/r1/x.json", third, None)
    assert registry.erasures.replacement(artifact) is None


def test_versions_have_their_hashes_and_go_for_good_the_oldest_first(store: S3ErasingStore) -> None:
    for body in (b"one", b"two"):
        store.client.put_object(Bucket="data", Key="raw/a.csv", Body=body)
    store.client.delete_object(Bucket="data", Key="raw/a.csv")
    written = S3Store(store.client, "data").put("raw/b.csv", b"three")
    marker, second, first, third = listed(store)
    assert [one.deleted for one in (marker, second, first, third)] == [True, False, False, False]
    assert store.digest(first) == hashlib.sha256(b"one").hexdigest()  # no hash is recorded: it is read
    assert store.digest(second) == hashlib.sha256(b"two").hexdigest()
    assert store.digest(third) == written.sha256
    assert store.delete([first, second, marker]) == 0
    assert listed(store) == [third]
    assert store.digest(first) is None
    assert store.delete([first, third]) == 0  # one of them is gone already
    assert listed(store, "") == []


def test_what_may_not_be_deleted_is_counted_with_what_follows_it(
    store: S3ErasingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("raw/a.csv", "raw/a.csv", "raw/b.csv"):
        put(store, key, b"x")
    delete, locked = store.client.delete_object, newest(store, "raw/a.csv")

    def delete_what_is_not_locked(**request: str) -> object:
        if request["VersionId"] == locked.version:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Object Lock"}}, "DeleteObject")
        return delete(**request)

    monkeypatch.setattr(store.client, "delete_object", delete_what_is_not_locked)
    assert store.delete(listed(store)) == 2  # the newest of a, and the one before: no older one becomes the current one
    assert [one.key for one in listed(store)] == ["raw/a.csv", "raw/a.csv"]
