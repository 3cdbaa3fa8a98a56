"""Fills in `dynamodb:LeadingKeys`, with which a policy allows some partition keys of a table and no others.

MiniStack 1.5.33 leaves the key out of each request, so that `ForAllValues` holds for every record, and
`simulate_principal_policy` ignores the context that it is given. AWS fills in the partition keys that a request names,
and checks each item of a transaction as the action on that item (AWS pages "Using IAM policy conditions for
fine-grained access control" and "Using IAM with DynamoDB transactions").
"""

from __future__ import annotations

import contextvars
import json
import re
from collections.abc import Iterator
from typing import Any

LEADING_KEYS = "dynamodb:LeadingKeys"
_OF_ITEMS = "modelcycle:LeadingKeysOfItems"  # the keys of a transaction's items, in the order of their checks
# the order in which MiniStack checks the members of an item
TRANSACTION_MEMBERS = ("ConditionCheck", "Put", "Update", "Delete", "Get")
SINGLE_VALUED = ("string", "numeric", "boolean", "ip", "date")  # types of a context key; the others end with List
EQUALITY = re.compile(r"([#\w.-]+)\s*=\s*(:\w+)")


def fill_in_leading_keys(dynamodb: Any, iam: Any, iam_actions: Any, iam_evaluator: Any) -> None:
    """Make MiniStack evaluate policies with the partition keys of each request to DynamoDB."""
    context_of, enforce = iam_actions.dynamodb_service_context, iam_evaluator.enforce

    def dynamodb_service_context(body: bytes) -> dict[str, Any]:
        context: dict[str, Any] = context_of(body)
        return context | leading_keys(dynamodb, body)

    def enforce_with_keys(
        access_key: str, action: str, service: str, region: str,
        resource_arn: str = "*", service_context: dict[str, Any] | None = None,
    ) -> Any:  # fmt: skip
        context = dict(service_context or {})
        if _OF_ITEMS in context:  # one call for each item, in their order
            key = next(context.pop(_OF_ITEMS), None)
            context |= {} if key is None else {LEADING_KEYS: [key]}
        return enforce(access_key, action, service, region, resource_arn=resource_arn, service_context=context)

    iam_actions.dynamodb_service_context = dynamodb_service_context
    iam_evaluator.enforce = enforce_with_keys
    simulate_with_context(iam, iam_evaluator)


def simulate_with_context(iam: Any, iam_evaluator: Any) -> None:
    """Make the simulation of policies use the request's `ContextEntries`."""
    entries: contextvars.ContextVar[dict[str, str | list[str]] | None] = contextvars.ContextVar("entries", default=None)
    evaluate = iam_evaluator.evaluate

    def evaluate_with_entries(context: Any, *policies: Any) -> Any:
        context.service_context = context.service_context | (entries.get() or {})
        return evaluate(context, *policies)

    def with_entries(simulate: Any) -> Any:
        def handler(parameters: Any) -> Any:
            token = entries.set(dict(_context_entries(iam, parameters)))
            try:
                return simulate(parameters)
            finally:
                entries.reset(token)

        return handler

    iam_evaluator.evaluate = evaluate_with_entries
    for name in ("SimulatePrincipalPolicy", "SimulateCustomPolicy"):
        iam._IAM_HANDLERS[name] = with_entries(iam._IAM_HANDLERS[name])


def leading_keys(dynamodb: Any, body: bytes) -> dict[str, Any]:
    """Return the context of a request's partition keys; empty if it names none, as a scan does."""
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return {}
    if not isinstance(request, dict):
        return {}
    if isinstance(request.get("TransactItems"), list):
        return {_OF_ITEMS: _keys_of_items(dynamodb, request["TransactItems"])}
    keys = sorted({key for key in _keys_of_request(dynamodb, request) if key is not None})
    return {LEADING_KEYS: keys} if keys else {}


def _keys_of_items(dynamodb: Any, items: list[Any]) -> Iterator[str | None]:
    for item in items:
        for member in TRANSACTION_MEMBERS:
            detail = item.get(member) if isinstance(item, dict) else None
            if isinstance(detail, dict) and detail.get("TableName"):
                yield _key_of(_partition_key(dynamodb, detail), detail.get("Key") or detail.get("Item"))


def _keys_of_request(dynamodb: Any, request: dict[str, Any]) -> Iterator[str | None]:
    """Yield the keys of a request for one item, for a range of items, or for a batch."""
    name = _partition_key(dynamodb, request)
    yield _key_of(name, request.get("Key") or request.get("Item"))
    names, values = request.get("ExpressionAttributeNames") or {}, request.get("ExpressionAttributeValues") or {}
    for attribute, value in EQUALITY.findall(str(request.get("KeyConditionExpression", ""))):
        if names.get(attribute, attribute) == name:
            yield _text(values.get(value))
    condition = (request.get("KeyConditions") or {}).get(name) or {}  # the older form
    for value in condition.get("AttributeValueList", []):
        yield _text(value)
    batches = request.get("RequestItems")
    for table, batch in (batches if isinstance(batches, dict) else {}).items():
        name = _partition_key(dynamodb, {"TableName": table})
        for key in batch.get("Keys", []) if isinstance(batch, dict) else []:
            yield _key_of(name, key)
        for write in batch if isinstance(batch, list) else []:
            for detail in write.values():
                yield _key_of(name, detail.get("Key") or detail.get("Item"))


def _partition_key(dynamodb: Any, request: dict[str, Any]) -> str | None:
    """Return the name of the partition key of the request's table or index; None if there is no such table."""
    table = dynamodb._tables.get(str(request.get("TableName", "")).rpartition(":table/")[2]) or {}
    indexes = [*table.get("GlobalSecondaryIndexes", []), *table.get("LocalSecondaryIndexes", [])]
    index = next((index for index in indexes if index.get("IndexName") == request.get("IndexName")), table)
    hashed = (part["AttributeName"] for part in index.get("KeySchema", []) if part["KeyType"] == "HASH")
    return next(hashed, None)


def _key_of(name: str | None, item: Any) -> str | None:
    return _text(item.get(name)) if isinstance(item, dict) else None


def _text(value: Any) -> str | None:
    """Return an attribute's value without its type: `{"S": "a"}` is `a`."""
    return str(next(iter(value.values()))) if isinstance(value, dict) and value else None


def _context_entries(iam: Any, parameters: Any) -> Iterator[tuple[str, str | list[str]]]:
    number = 1
    while name := iam._p(parameters, f"ContextEntries.member.{number}.ContextKeyName"):
        kind = iam._p(parameters, f"ContextEntries.member.{number}.ContextKeyType")
        values: list[str] = []
        while value := iam._p(parameters, f"ContextEntries.member.{number}.ContextKeyValues.member.{len(values) + 1}"):
            values.append(value)
        yield name.lower(), values[0] if values and kind in SINGLE_VALUED else values
        number += 1
