"""Records under the keys of earlier releases are moved, each whole, however often the move is killed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.old_keys import MAX_RECORDS_AT_ONCE, MovedRecords, move_old_keys, sentences
from modelcycle.registry import keys
from modelcycle.registry.keys import Key
from tests.unit.test_registry_keys import records

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MODELS = ("plums", "a", "a-b")
UNMOVED = ("MODELS", "EXECUTION#arn", "STREAM#records")


def old_key(key: Key, model: str) -> Key:
    """Return the key that a record had before."""
    kind = key.pk.partition("#")[0]
    if kind == "RESULT":
        return Key(f"MODEL#{model}", f"STEP#{key.pk.split('#')[1]}#{key.sk}")
    return Key(f"MODEL#{model}", key.sk)


def present_keys(model: str) -> list[Key]:
    """Return a key of each kind of record of a model that earlier releases knew, and many of one kind."""
    made = [
        Key(key.pk.replace("#model", f"#{model}").removesuffix("#m") + (f"#{model}" if key.pk.endswith("#m") else ""),
            key.sk)
        for key in records().values()
    ]  # fmt: skip
    of_model = [key for key in made if key.pk.endswith(f"#{model}") and key.pk.partition("#")[0] not in (
        "EVENT", "EVIDENCE", "STREAM", "EXECUTION", "INCIDENT", "RETRAINING", "APPROVAL", "ERASURE",
    ) and not key.sk.startswith(("TRAINED#", "WINDOW#", "HEAD", "SIGNED"))]  # fmt: skip
    return of_model + [
        keys.run(model, f"r{number:03d}") for number in range(MAX_RECORDS_AT_ONCE if model == "a" else 1)
    ]


def item(key: Key, body: str = "body", revision: int = 3) -> dict[str, Any]:
    fields = {"pk": key.pk, "sk": key.sk, "body": f'"{body} of {key.sk}"', "kind": "record"}
    return {name: {"S": value} for name, value in fields.items()} | {"revision": {"N": str(revision)}}


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="registry", BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )  # fmt: skip
        yield client


def put(dynamodb: Any, *items: dict[str, Any]) -> None:
    for one in items:
        dynamodb.put_item(TableName="registry", Item=one)


def table_of(dynamodb: Any) -> dict[Key, dict[str, Any]]:
    pages = dynamodb.get_paginator("scan").paginate(TableName="registry")
    return {Key(i["pk"]["S"], i["sk"]["S"]): i for page in pages for i in page["Items"]}


@pytest.fixture
def old(dynamodb: Any) -> dict[Key, dict[str, Any]]:
    """Fill the table as an earlier release would; return what it has to hold after the move."""
    expected = {}
    for model in MODELS:
        for key in present_keys(model):
            before = old_key(key, model)
            written = item(before) | {"expires": {"N": "7"}}
            put(dynamodb, written)
            expected[key] = written | {"pk": {"S": key.pk}, "sk": {"S": key.sk}}
        stays = [Key("MODELS", model), Key(f"MODEL#{model}", f"EVENT#{NOW.isoformat()}#e1")]
        for key in stays:
            put(dynamodb, item(key))
            expected[key] = item(key)
    for pk in UNMOVED[1:]:
        put(dynamodb, item(Key(pk, "x")))
        expected[Key(pk, "x")] = item(Key(pk, "x"))
    return expected


def test_every_kind_of_record_gets_its_present_key_and_nothing_else_changes(dynamodb: Any, old: Any) -> None:
    assert {key.pk.partition("#")[0] for key in old} >= {
        "RUN", "RESULT", "LANDING", "VERSION", "STATE", "ROUTE", "MONITOR", "AUDIT",
    }  # fmt: skip
    result = move_old_keys(dynamodb, "registry")
    assert table_of(dynamodb) == old
    assert result == MovedRecords(sum(len(present_keys(model)) for model in MODELS), [])
    assert sentences(result) == [f"moved {result.moved} records of the registry to keys that name their kind"]


def test_a_second_move_finds_nothing(dynamodb: Any, old: Any) -> None:
    move_old_keys(dynamodb, "registry")
    again = move_old_keys(dynamodb, "registry")
    assert again == MovedRecords(0, []) and not sentences(again)
    assert table_of(dynamodb) == old


class Killed(BaseException):
    """The process died."""


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("calls", [1, 3])
def test_a_move_that_is_killed_is_continued_by_the_next(dynamodb: Any, old: Any, calls: int, after: bool) -> None:
    """Killed before or after its n-th transaction; no record is then under two keys, or under none."""
    whole = len(table_of(dynamodb))
    with pytest.raises(Killed):
        move_old_keys(_Dying(dynamodb, calls, after), "registry")
    assert len(table_of(dynamodb)) == whole
    assert sorted(i["body"]["S"] for i in table_of(dynamodb).values()) == sorted(i["body"]["S"] for i in old.values())
    move_old_keys(dynamodb, "registry")
    assert table_of(dynamodb) == old


def test_a_newer_record_under_the_present_key_counts_and_the_screen_says_so(dynamodb: Any, old: Any) -> None:
    new = item(keys.lease("plums"), "new", 1)
    put(dynamodb, new)
    result = move_old_keys(dynamodb, "registry")
    assert result.kept == [Key("MODEL#plums", "LEASE")]
    after = table_of(dynamodb)
    assert after[keys.lease("plums")] == new and Key("MODEL#plums", "LEASE") in after
    others = {key: value for key, value in after.items() if key.sk != "LEASE"}
    assert others == {key: value for key, value in old.items() if key.sk != "LEASE"}
    assert sentences(result)[1] == "1 old records stay: newer ones have their keys, and count (MODEL#plums LEASE)"


def test_a_record_that_is_changed_meanwhile_is_moved_as_it_is_then(dynamodb: Any, old: Any) -> None:
    """By a function of the earlier release that still ran."""
    first = old_key(min(key for key in old if key.pk == "AUDIT#a"), "a")
    changed = item(first, "changed", 4)
    assert move_old_keys(_Racing(dynamodb, changed), "registry").kept == []
    after = table_of(dynamodb)
    assert after[Key("AUDIT#a", first.sk)]["body"] == changed["body"]
    assert after.keys() == old.keys()


class _Dying:
    """DynamoDB's client, whose process is killed around a transaction."""

    def __init__(self, client: Any, calls: int, after: bool) -> None:
        self.client, self.calls, self.after = client, calls, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def transact_write_items(self, **request: Any) -> None:
        self.calls -= 1
        if self.calls == 0 and not self.after:
            raise Killed
        self.client.transact_write_items(**request)
        if self.calls == 0:
            raise Killed


class _Racing:
    """DynamoDB's client, at whose first transaction another writer changes a record."""

    def __init__(self, client: Any, changed: dict[str, Any]) -> None:
        self.client, self.changed = client, [changed]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def transact_write_items(self, **request: Any) -> None:
        if self.changed:
            put(self.client, self.changed.pop())
        self.client.transact_write_items(**request)
