"""One DynamoDB table, seen as records that are created once or replaced by whoever read them last.

Every record is JSON under (`pk`, `sk`) with a revision that rises by one at each write. A write names the revision that
its writer has seen (0: none), and all writes of one call happen together or not at all. That single rule makes
redelivery, races and kills harmless: the second of two writers gets `Raced`, reads again, and sees what the first did.
"""

from __future__ import annotations

import json
import random
import time
from typing import Any, NamedTuple, Protocol

from modelcycle.faults import Raced, Throttled
from modelcycle.outages import Unreachable, outages_as_faults

LAST_CHARACTER = "\U0010ffff"  # sorts after every other
MOST_WRITES = 100  # of one transaction, AWS page "TransactWriteItems"


class Record(NamedTuple):
    pk: str
    sk: str
    body: dict[str, Any]
    revision: int


class Write(NamedTuple):
    """`revision` is the one that the writer has seen; 0 creates. `kind` names what the table's stream carries on."""

    pk: str
    sk: str
    body: dict[str, Any]
    revision: int = 0
    kind: str = "record"
    expires: int | None = None


class Table(Protocol):
    def read(self, pk: str, sk: str) -> Record | None:
        """The record as it is now (strongly consistent)."""

    def query(
        self, pk: str, prefix: str = "", *, first: str = "", newest_first: bool = False, limit: int | None = None
    ) -> list[Record]:
        """The records whose `sk` begins with `prefix`, in order of `sk`; `first` leaves out all that come before it."""

    def write(self, *writes: Write) -> None:
        """All or nothing. Raises Raced when any record has another revision than its writer has seen."""


class DynamoTable:
    """`client` is boto3's DynamoDB client; `unreachable` are the errors by which it says that nobody answered."""

    def __init__(self, client: Any, name: str, unreachable: Unreachable = ()) -> None:
        self.client = client
        self.name = name
        self.unreachable = unreachable

    def read(self, pk: str, sk: str) -> Record | None:
        item = self._call("get_item", Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True).get("Item")
        return _record(item) if item else None

    def query(
        self, pk: str, prefix: str = "", *, first: str = "", newest_first: bool = False, limit: int | None = None
    ) -> list[Record]:
        condition, values = "pk = :pk", {":pk": pk}
        if first:  # a key condition holds one condition on `sk`
            condition, values = f"{condition} AND sk BETWEEN :first AND :last", values | {
                ":first": max(first, prefix), ":last": prefix + LAST_CHARACTER,
            }  # fmt: skip
        elif prefix:
            condition, values = f"{condition} AND begins_with(sk, :prefix)", values | {":prefix": prefix}
        request: dict[str, Any] = {
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
            "ScanIndexForward": not newest_first,
            "ConsistentRead": True,
        }
        found: list[Record] = []
        while True:
            page = self._call("query", **request, **({"Limit": limit - len(found)} if limit else {}))
            found += [_record(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page or (limit and len(found) >= limit):
                return found
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def write(self, *writes: Write) -> None:
        if len(writes) > MOST_WRITES:
            raise ValueError(f"a transaction holds {MOST_WRITES} writes, not {len(writes)}")
        items = [{"Put": {"TableName": self.name, **_condition(write), "Item": _item(write)}} for write in writes]
        for attempt in range(8):
            try:
                with outages_as_faults("DynamoDB", self.name, self.unreachable):
                    self.client.transact_write_items(TransactItems=items)
                return
            except self.client.exceptions.TransactionCanceledException as error:
                reasons = [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])]
                if "ConditionalCheckFailed" in reasons or "ConditionalCheckFailed" in str(error):
                    raise Raced("another writer was first", writes[0].pk, "read again") from error
                # TransactionConflict: another transaction holds the item; botocore doesn't retry it
                time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 (jitter, not a secret)
        raise Throttled("the registry is busy: other transactions hold the same records", writes[0].pk)

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        with outages_as_faults("DynamoDB", self.name, self.unreachable):
            answer: dict[str, Any] = getattr(self.client, operation)(TableName=self.name, **request)
        return answer


def _condition(write: Write) -> dict[str, Any]:
    if write.revision == 0:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    return {
        "ConditionExpression": "revision = :seen",
        "ExpressionAttributeValues": {":seen": {"N": str(write.revision)}},
    }


def _item(write: Write) -> dict[str, Any]:
    item = {
        "pk": {"S": write.pk},
        "sk": {"S": write.sk},
        "kind": {"S": write.kind},
        "revision": {"N": str(write.revision + 1)},
        "body": {"S": json.dumps(write.body, sort_keys=True, ensure_ascii=False)},
    }
    return item | ({"expires": {"N": str(write.expires)}} if write.expires else {})


def _record(item: dict[str, Any]) -> Record:
    return Record(item["pk"]["S"], item["sk"]["S"], json.loads(item["body"]["S"]), int(item["revision"]["N"]))
