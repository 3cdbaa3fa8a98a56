"""The registry's DynamoDB table: records that are created once, or replaced by a writer that has read the latest one.

Every record is JSON under (`pk`, `sk`), with a revision that grows by one at each write. A write names the revision
that its writer has read (0: no record), and all writes of one call happen together or not at all. This one rule makes
redelivery, races and kills harmless: the second of two writers gets `Raced`, reads again, and sees what the first did.
"""

from __future__ import annotations

import functools
import hashlib
import json
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, ParamSpec, Protocol, TypeVar

from modelcycle.faults import Fault, Raced, Throttled
from modelcycle.outages import Unreachable, outages_as_faults
from modelcycle.registry.keys import Key

MAX_TRANSACTION_WRITES = 100  # AWS page "TransactWriteItems"
MAX_RACES = 10  # attempts at one conditional write, each after a new read
MAX_CONFLICTS = 8  # attempts at one transaction while others hold its records
FIRST_PAUSE = 0.05  # seconds, at most, before the second attempt at a transaction; doubled at each further one
CHECKED_ATTRIBUTES = ("pk", "sk", "kind", "revision", "body", "expires")
LAST_CHARACTER = "\U0010ffff"  # sorts after every other

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Record(NamedTuple):
    """A record as it is; `kind` and `expires` are those of its `Write`."""

    pk: str
    sk: str
    body: dict[str, Any]
    revision: int
    kind: str = "record"
    expires: int | None = None

    @property
    def key(self) -> Key:
        return Key(self.pk, self.sk)


class Write(NamedTuple):
    """A record to be written.

    `revision` is the one that the writer has read; 0 creates the record. The table's stream is filtered by `kind`.
    `expires` is the time in seconds since 1970 after which DynamoDB deletes the record; None keeps it.
    """

    pk: str
    sk: str
    body: dict[str, Any]
    revision: int = 0
    kind: str = "record"
    expires: int | None = None


class Table(Protocol):
    """A table of records."""

    def get(self, pk: str, sk: str) -> Record | None:
        """Return the record as it is now (strongly consistent)."""

    def query(
        self, pk: str, prefix: str = "", *, start: str = "", newest_first: bool = False, limit: int | None = None
    ) -> list[Record]:
        """Return the records whose `sk` begins with `prefix`, sorted by `sk`; none before `start`."""

    def write(self, *writes: Write) -> None:
        """Write all records or none.

        Raises
        ------
        Raced : a record has another revision than its writer has read
        """


class DynamoTable:
    """A table of DynamoDB.

    Parameters
    ----------
    client : botocore's DynamoDB client
    name : the table's name
    unreachable : the client's errors for a service that did not answer; they are raised as Transient
    """

    def __init__(self, client: Any, name: str, unreachable: Unreachable = ()) -> None:
        self.client = client
        self.name = name
        self.unreachable = unreachable

    def get(self, pk: str, sk: str) -> Record | None:
        item = self.item(pk, sk)
        return _record(item) if item else None

    def item(self, pk: str, sk: str) -> dict[str, Any] | None:
        """Return an item as it is stored, or None: its `sum` may not be right."""
        found: dict[str, Any] | None = self._call(
            "get_item", Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
        ).get("Item")
        return found

    def items(self, pk: str) -> Iterator[dict[str, Any]]:
        """Yield the items of a partition key as they are stored, page by page: their `sum` may not be right."""
        request: dict[str, Any] = {
            "KeyConditionExpression": "pk = :pk", "ExpressionAttributeValues": {":pk": {"S": pk}},
            "ConsistentRead": True,
        }  # fmt: skip
        while True:
            page = self._call("query", **request)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def query(
        self, pk: str, prefix: str = "", *, start: str = "", newest_first: bool = False, limit: int | None = None
    ) -> list[Record]:
        condition, values = "pk = :pk", {":pk": pk}
        if start:  # DynamoDB accepts one condition on `sk`
            condition += " AND sk BETWEEN :start AND :end"
            values |= {":start": max(start, prefix), ":end": prefix + LAST_CHARACTER}
        elif prefix:
            condition += " AND begins_with(sk, :prefix)"
            values |= {":prefix": prefix}
        request: dict[str, Any] = {
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": {name: {"S": value} for name, value in values.items()},
            "ScanIndexForward": not newest_first,
            "ConsistentRead": True,
        }
        records: list[Record] = []
        while True:
            page = self._call("query", **request, **({"Limit": limit - len(records)} if limit else {}))
            records += [_record(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page or (limit and len(records) >= limit):
                return records
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def write(self, *writes: Write) -> None:
        if len(writes) > MAX_TRANSACTION_WRITES:
            raise ValueError(f"a transaction holds {MAX_TRANSACTION_WRITES} writes, not {len(writes)}")
        items = [{"Put": {"TableName": self.name, **_condition(write), "Item": _item(write)}} for write in writes]
        for attempt in range(MAX_CONFLICTS):
            try:
                with self._faults():
                    self.client.transact_write_items(TransactItems=items)
                return
            except self.client.exceptions.TransactionCanceledException as error:
                reasons = [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])]
                if "ConditionalCheckFailed" in reasons or "ConditionalCheckFailed" in str(error):
                    # one reason for each write, in their order (AWS page "TransactWriteItems")
                    changed = [
                        (write.pk, write.sk)
                        for write, reason in zip(writes, reasons, strict=False) if reason == "ConditionalCheckFailed"
                    ]  # fmt: skip
                    raise Raced(
                        "another writer has changed the registry at the same time", writes[0].pk, "try again", changed
                    ) from error
                # TransactionConflict: another transaction holds the item; botocore does not retry it
                time.sleep(random.uniform(0, FIRST_PAUSE * 2**attempt))  # noqa: S311 (jitter, not a secret)
        raise Throttled("the registry is busy: other transactions hold the same records", writes[0].pk, "try again")

    def _call(self, operation: str, **request: Any) -> dict[str, Any]:
        with self._faults():
            answer: dict[str, Any] = getattr(self.client, operation)(TableName=self.name, **request)
        return answer

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Raise outages as faults, and name a table that is missing: DynamoDB's own error does not."""
        try:
            with outages_as_faults("DynamoDB", self.name, self.unreachable):
                yield
        except Exception as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code")
            if code != "ResourceNotFoundException":
                raise
            raise Fault(f"the table {self.name} does not exist", "DynamoDB", "deploy the stack again") from error


def revision_of(record: Record | None) -> int:
    """Return the revision that the next write of a record names."""
    return record.revision if record else 0


def retry_when_raced(attempt: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Call the function again, from its first read on, when its conditional write lost to another writer.

    Raises
    ------
    Raced : MAX_RACES attempts were lost
    """

    @functools.wraps(attempt)
    def repeated(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        for _ in range(MAX_RACES - 1):
            try:
                return attempt(*args, **kwargs)
            except Raced:
                continue
        return attempt(*args, **kwargs)

    return repeated


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
    } | ({"expires": {"N": str(write.expires)}} if write.expires else {})
    return item | {"sum": {"S": checksum(item)}}


def checksum(item: dict[str, Any]) -> str:
    """Return the SHA-256 of an item of the table: of its key, kind, revision, body and end, but not of its `sum`.

    Parameters
    ----------
    item : attributes as DynamoDB has them, such as `{"pk": {"S": ...}, "revision": {"N": "3"}}`
    """
    covered = [next(iter(item.get(name, {"": None}).values())) for name in CHECKED_ATTRIBUTES]
    return hashlib.sha256(json.dumps(covered).encode()).hexdigest()


def _record(item: dict[str, Any]) -> Record:
    expires = item.get("expires")
    return Record(
        item["pk"]["S"], item["sk"]["S"], json.loads(item["body"]["S"]), int(item["revision"]["N"]),
        item.get("kind", {"S": "record"})["S"], int(expires["N"]) if expires else None,
    )  # fmt: skip
