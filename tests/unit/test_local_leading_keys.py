"""The local cloud evaluates policies with the partition keys of a request, as AWS does."""

from __future__ import annotations

import contextvars
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ministack.core import iam_actions, iam_evaluator
from ministack.services import dynamodb, iam

from infra.local.emulator.leading_keys import LEADING_KEYS, fill_in_leading_keys, leading_keys

ORIGINAL_CONTEXT, ORIGINAL_SIMULATION = iam_actions.dynamodb_service_context, iam._IAM_HANDLERS["SimulateCustomPolicy"]
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/t"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow", "Action": ["dynamodb:GetItem", "dynamodb:PutItem"], "Resource": TABLE,
            "Condition": {
                "Null": {LEADING_KEYS: "false"}, "ForAllValues:StringLike": {LEADING_KEYS: ["A#*", "B#*"]},
            },
        }
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def patched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module, name in (
        (iam_actions, "dynamodb_service_context"), (iam_evaluator, "enforce"), (iam_evaluator, "evaluate"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(iam, "_IAM_HANDLERS", dict(iam._IAM_HANDLERS))
    table = {
        "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        "GlobalSecondaryIndexes": [
            {"IndexName": "by-owner", "KeySchema": [{"AttributeName": "owner", "KeyType": "HASH"}]}
        ],
    }
    monkeypatch.setattr(dynamodb, "_tables", {"t": table, "other": {"KeySchema": [
        {"AttributeName": "id", "KeyType": "HASH"}]}})  # fmt: skip
    fill_in_leading_keys(dynamodb, iam, iam_actions, iam_evaluator)
    yield


def keys_of(**request: Any) -> Any:
    return leading_keys(dynamodb, json.dumps(request).encode()).get(LEADING_KEYS)


@pytest.mark.parametrize(
    ("request_", "keys"),
    [
        ({"TableName": "t", "Key": {"pk": {"S": "A#m"}, "sk": {"S": "1"}}}, ["A#m"]),
        ({"TableName": TABLE, "Key": {"sk": {"S": "1"}, "pk": {"S": "A#m"}}}, ["A#m"]),
        ({"TableName": "t", "Item": {"pk": {"S": "A#m"}, "body": {"S": "pk = :x"}}}, ["A#m"]),
        ({"TableName": "other", "Key": {"id": {"N": "7"}}}, ["7"]),
        (
            {"TableName": "t", "KeyConditionExpression": "pk = :p AND sk BETWEEN :a AND :b",
             "ExpressionAttributeValues": {":p": {"S": "A#m"}, ":a": {"S": "x"}, ":b": {"S": "y"}}},
            ["A#m"],
        ),
        (
            {"TableName": "t", "KeyConditionExpression": "(#s = :a) and (#p=:p)",
             "ExpressionAttributeNames": {"#p": "pk", "#s": "sk"},
             "ExpressionAttributeValues": {":p": {"S": "A#m"}, ":a": {"S": "B#m"}}},
            ["A#m"],
        ),
        (
            {"TableName": "t", "IndexName": "by-owner", "KeyConditionExpression": "owner = :o",
             "ExpressionAttributeValues": {":o": {"S": "ann"}}},
            ["ann"],
        ),
        (
            {"TableName": "t", "KeyConditions": {"pk": {"AttributeValueList": [{"S": "A#m"}],
                                                         "ComparisonOperator": "EQ"}}},
            ["A#m"],
        ),
        (
            {"RequestItems": {"t": {"Keys": [{"pk": {"S": "B#m"}}, {"pk": {"S": "A#m"}}]}}},
            ["A#m", "B#m"],
        ),
        (
            {"RequestItems": {"t": [{"PutRequest": {"Item": {"pk": {"S": "B#m"}}}},
                                    {"DeleteRequest": {"Key": {"pk": {"S": "A#m"}}}}]}},
            ["A#m", "B#m"],
        ),
        ({"TableName": "t"}, None),
        ({"TableName": "t", "FilterExpression": "pk = :p", "ExpressionAttributeValues": {":p": {"S": "A#m"}}}, None),
        ({"TableName": "no such table", "Key": {"pk": {"S": "A#m"}}}, None),
    ],
)  # fmt: skip
def test_the_keys_of_a_request(request_: dict[str, Any], keys: list[str] | None) -> None:
    assert keys_of(**request_) == keys


@pytest.mark.parametrize("body", [b"", b"[1]", b"not json", b"\xff", b'{"TransactItems": 3}', b'{"RequestItems": [1]}'])
def test_a_request_that_is_none_names_no_key(body: bytes) -> None:
    assert LEADING_KEYS not in iam_actions.dynamodb_service_context(body)


def test_each_item_of_a_transaction_is_checked_by_itself() -> None:
    """`A` and `B` may be allowed to different actions: one check with both keys would refuse the transaction."""
    checks = transaction_checks({"Put": "A#m"}, {"ConditionCheck": "B#m"}, {"Delete": "C#m"}, {"Put": None})
    assert checks == [
        ("dynamodb:PutItem", ["A#m"]), ("dynamodb:ConditionCheckItem", ["B#m"]), ("dynamodb:DeleteItem", ["C#m"]),
        ("dynamodb:PutItem", None),
    ]  # fmt: skip


def test_an_item_that_names_two_actions_is_checked_for_both_keys() -> None:
    """The order is that of MiniStack's checks; a new one would give a key to the wrong action."""
    body = {"TransactItems": [{"Put": {"TableName": "t", "Item": {"pk": {"S": "A"}}},
                               "Delete": {"TableName": "t", "Key": {"pk": {"S": "B"}}}}]}  # fmt: skip
    assert checks_of(body) == [("dynamodb:PutItem", ["A"]), ("dynamodb:DeleteItem", ["B"])]


@pytest.mark.parametrize(("keys", "decision"), [
    (["A#m"], "allowed"), (["A#m", "B#n"], "allowed"), (["A#m", "C#m"], "implicitDeny"), (["a#m"], "implicitDeny"),
    ([], "implicitDeny"),
])  # fmt: skip
def test_a_simulation_uses_its_context(keys: list[str], decision: str) -> None:
    assert simulated(iam._IAM_HANDLERS["SimulateCustomPolicy"], keys) == decision
    assert simulated(iam._IAM_HANDLERS["SimulateCustomPolicy"], []) == "implicitDeny"  # of a request before it


def test_ministack_still_leaves_the_keys_out() -> None:
    """Then `infra/local/emulator/leading_keys.py` is needed; when this fails, remove it."""
    body = json.dumps({"TableName": "t", "Key": {"pk": {"S": "A#m"}}}).encode()
    assert not [name for name in ORIGINAL_CONTEXT(body) if "LEADING" in name.upper()]


def test_ministack_still_ignores_the_context_of_a_simulation() -> None:
    """Then `simulate_with_context` is needed; when this fails, remove it."""
    assert simulated(ORIGINAL_SIMULATION, ["A#m"]) == "implicitDeny"


def simulated(handler: Any, keys: list[str]) -> str:
    """Return the decision of MiniStack's simulation for a GetItem that names these keys."""
    parameters = {
        "PolicyInputList.member.1": [json.dumps(POLICY)], "ActionNames.member.1": ["dynamodb:GetItem"],
        "ResourceArns.member.1": [TABLE],
    }  # fmt: skip
    if keys:
        parameters["ContextEntries.member.1.ContextKeyName"] = [LEADING_KEYS]
        for number, key in enumerate(keys, 1):
            parameters[f"ContextEntries.member.1.ContextKeyValues.member.{number}"] = [key]
    body = contextvars.copy_context().run(handler, parameters)[2]
    text = body.decode() if isinstance(body, bytes) else str(body)
    return text.partition("<EvalDecision>")[2].partition("</EvalDecision>")[0]


def transaction_checks(*items: dict[str, str | None]) -> list[tuple[str, list[str] | None]]:
    """Return the action and the keys of each check of a transaction; an item without key lacks it."""
    return checks_of({
        "TransactItems": [
            {member: {"TableName": "t", "Item" if member == "Put" else "Key": {"pk": {"S": key}} if key else {}}}
            for item in items for member, key in item.items()
        ]
    })  # fmt: skip


def checks_of(request: dict[str, Any]) -> list[tuple[str, list[str] | None]]:
    """Make the checks of a transaction as `ministack.app` makes them."""
    seen: list[tuple[str, list[str] | None]] = []
    body = json.dumps(request).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(iam_evaluator, "enforce", ENFORCE)
        patch.setattr(iam_evaluator, "evaluate", iam_evaluator.evaluate)
        context = iam_actions.dynamodb_service_context(body)

        def original(key: str, action: str, *rest: Any, service_context: dict[str, Any], **named: Any) -> None:
            seen.append((action, service_context.get(LEADING_KEYS)))

        patch.setattr(iam_evaluator, "enforce", original)
        fill_in_leading_keys(dynamodb, iam, iam_actions, iam_evaluator)
        for action, arn in iam_actions.dynamodb_transaction_checks(
            "dynamodb:TransactWriteItems", body, "us-east-1", "000000000000"
        ):
            iam_evaluator.enforce("key", action, "dynamodb", "us-east-1", resource_arn=arn, service_context=context)
    return seen


ENFORCE = iam_evaluator.enforce
