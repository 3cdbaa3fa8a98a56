"""Moves the records of a registry to the keys that name their kind (docs/decisions/27-keys-by-kind.md).

`modelcycle up` does it for the local cloud. For a stack in AWS, with the credentials of an administrator, after the
deployment, while no run is in progress:

    python -m infra.old_keys TABLE

Each record is written under its new key and deleted under the old one in one transaction. So a move that is killed has
moved some records whole; the next one moves the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any, NamedTuple

from modelcycle.registry import keys
from modelcycle.registry.keys import Key

MAX_RECORDS_AT_ONCE = 25  # two actions each, of the 100 of a transaction; and records of results may have 100 KB
MAX_ATTEMPTS = 5  # at a record that others change meanwhile
AFTER_EVENTS = keys.OLD_EVENTS[:-1] + "$"  # sorts after every event

Item = dict[str, Any]


class MovedRecords(NamedTuple):
    """How many records were moved, and which old ones stay because a record with the new key exists."""

    moved: int
    kept: list[Key]


def move_old_keys(dynamodb: Any, table: str) -> MovedRecords:
    """Move the records of all models. Idempotent.

    Parameters
    ----------
    dynamodb : boto3's client
    table : the registry's name
    """
    moved, kept = 0, list[Key]()
    for model in _models(dynamodb, table):
        items: list[Item] = []
        for item in _old_items(dynamodb, table, model):
            items.append(item)
            if len(items) == MAX_RECORDS_AT_ONCE:
                moved += _move(dynamodb, table, items, kept)
                items = []
        moved += _move(dynamodb, table, items, kept)
    return MovedRecords(moved, kept)


def _models(dynamodb: Any, table: str) -> Iterator[str]:
    for item in _query(dynamodb, table, "pk = :pk", {":pk": keys.model_entries().pk}):
        yield item["sk"]["S"]


def _old_items(dynamodb: Any, table: str, model: str) -> Iterator[Item]:
    """Yield the records of a model under old keys, but for the events."""
    partition = keys.OLD_PARTITION + model
    ranges = (("sk < :limit", keys.OLD_EVENTS), ("sk >= :limit", AFTER_EVENTS))
    for condition, limit in ranges:
        for item in _query(dynamodb, table, f"pk = :pk AND {condition}", {":pk": partition, ":limit": limit}):
            if keys.key_since_kinds(_key(item)) is not None:
                yield item


def _query(dynamodb: Any, table: str, condition: str, values: dict[str, str]) -> Iterator[Item]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table, KeyConditionExpression=condition, ConsistentRead=True,
        ExpressionAttributeValues={name: {"S": value} for name, value in values.items()},
    )  # fmt: skip
    for page in pages:
        yield from page["Items"]


def _move(dynamodb: Any, table: str, items: list[Item], kept: list[Key]) -> int:
    """Move records in one transaction, or else one by one; return how many, and add the others to `kept`."""
    if not items:
        return 0
    try:
        dynamodb.transact_write_items(TransactItems=[action for item in items for action in _actions(table, item)])
    except dynamodb.exceptions.ClientError as error:
        if error.response["Error"]["Code"] not in ("TransactionCanceledException", "ValidationException"):
            raise
        return sum(_move_one(dynamodb, table, item, kept) for item in items)
    return len(items)


def _move_one(dynamodb: Any, table: str, item: Item, kept: list[Key]) -> int:
    """Move one record as it is now: another writer may have changed it since it was read."""
    for attempt in range(MAX_ATTEMPTS):
        try:
            dynamodb.transact_write_items(TransactItems=list(_actions(table, item)))
        except dynamodb.exceptions.TransactionCanceledException as error:
            at_new_key, _ = [reason.get("Code") for reason in error.response["CancellationReasons"]]
            if at_new_key == "ConditionalCheckFailed":
                kept.append(_key(item))
                return 0
            if attempt == MAX_ATTEMPTS - 1:
                raise
        else:
            return 1
        old = {"pk": item["pk"], "sk": item["sk"]}
        item = dynamodb.get_item(TableName=table, Key=old, ConsistentRead=True).get("Item") or item
    return 0


def _actions(table: str, item: Item) -> Iterator[Item]:
    new = keys.key_since_kinds(_key(item))
    assert new is not None
    moved = item | {"pk": {"S": new.pk}, "sk": {"S": new.sk}}
    yield {"Put": {"TableName": table, "Item": moved, "ConditionExpression": "attribute_not_exists(pk)"}}
    yield {
        "Delete": {
            "TableName": table, "Key": {"pk": item["pk"], "sk": item["sk"]}, "ConditionExpression": "revision = :seen",
            "ExpressionAttributeValues": {":seen": item["revision"]},
        }
    }  # fmt: skip


def _key(item: Item) -> Key:
    return Key(item["pk"]["S"], item["sk"]["S"])


def sentences(result: MovedRecords) -> list[str]:
    """Return what was done, for people."""
    lines = []
    if result.moved:
        lines.append(f"moved {result.moved:,} records of the registry to keys that name their kind")
    if result.kept:
        named = ", ".join(f"{key.pk} {key.sk}" for key in result.kept[:3])
        lines.append(f"{len(result.kept):,} old records stay: newer ones have their keys, and count ({named})")
    return lines


def main() -> None:
    """Move the records of a table of the account that boto3 is configured for."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    parser = argparse.ArgumentParser(description="Moves a registry to the keys that name the kind of each record.")
    parser.add_argument("table", help="the stack's output RegistryTable")
    table = parser.parse_args().table
    try:
        result = move_old_keys(boto3.client("dynamodb"), table)
    except (BotoCoreError, ClientError) as error:
        raise SystemExit(f"{error}\nCorrect it and run this again: what was moved stays moved.") from None
    print("\n".join(sentences(result) or ["every record has its new key"]))


if __name__ == "__main__":
    main()
