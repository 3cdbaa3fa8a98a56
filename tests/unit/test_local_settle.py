"""Intrinsics as CloudFormation resolves them, and when a property counts as held."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.intrinsics import ABSENT, Stack, Unresolvable
from infra.local.settings import SETTINGS
from infra.local.settle import covers, reachable

STACK = Stack(
    template={
        "Conditions": {
            "Prod": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
            "NotProd": {"Fn::Not": [{"Condition": "Prod"}]},
            "Both": {"Fn::And": [{"Condition": "Prod"}, {"Condition": "NotProd"}]},
            "Either": {"Fn::Or": [{"Condition": "Prod"}, {"Condition": "NotProd"}]},
        },
        "Mappings": {"Days": {"dev": {"keep": 7}}},
    },
    parameters={"Stage": "dev"},
    resources={
        "Queue": {"type": "AWS::SQS::Queue", "id": "http://127.0.0.1:1/000000000000/q"},
        "Key": {"type": "AWS::KMS::Key", "id": "k-1"},
    },
    region="us-east-1",
    account="000000000000",
    outputs={"Storage": {"Table": "t"}},
)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ({"Ref": "Stage"}, "dev"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws:sqs:us-east-1:000000000000:q"),
        ({"Fn::GetAtt": "Key.Arn"}, "arn:aws:kms:us-east-1:000000000000:key/k-1"),
        ({"Fn::GetAtt": ["Storage", "Outputs.Table"]}, "t"),
        ({"Fn::Sub": "${Stage}-${Storage.Outputs.Table}-${!kept}"}, "dev-t-${kept}"),
        ({"Fn::Sub": ["${X}", {"X": {"Ref": "AWS::Region"}}]}, "us-east-1"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Stage"}]]}, "a-dev"),
        ({"Fn::If": ["Prod", 1, {"Fn::FindInMap": ["Days", {"Ref": "Stage"}, "keep"]}]}, 7),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ({"Fn::Select": [1, {"Fn::Split": ["-", "a-b"]}]}, "b"),
        ([1, {"Ref": "AWS::NoValue"}], [1]),
        ({"kept": 1, "gone": {"Fn::If": ["Prod", 1, {"Ref": "AWS::NoValue"}]}}, {"kept": 1}),
    ],
    ids=str,
)
def test_an_intrinsic_comes_to_its_value(written: Any, value: Any) -> None:
    assert STACK.value(written) == value


def test_no_value_is_absent() -> None:
    assert STACK.value({"Ref": "AWS::NoValue"}) is ABSENT


@pytest.mark.parametrize(
    "written", [{"Ref": "Nobody"}, {"Fn::GetAtt": ["Queue", "Colour"]}, {"Fn::Base64": "x"}], ids=str
)
def test_what_cannot_be_known_is_said(written: Any) -> None:
    with pytest.raises(Unresolvable):
        STACK.value(written)


@pytest.mark.parametrize(
    ("found", "wanted", "held"),
    [
        ({"Days": 7, "More": 1}, {"Days": "7"}, True),
        ("true", True, True),
        ([{"a": 1}, {"b": 2}], [{"b": 2}], True),
        ([{"a": 1}], [{"a": 1}, {"b": 2}], False),
        (None, {"a": 1}, False),
        ({"Enabled": False}, {"Enabled": True}, False),
    ],
    ids=str,
)
def test_a_property_is_held_when_all_that_is_wanted_reads_back(found: Any, wanted: Any, held: bool) -> None:
    assert covers(found, wanted) is held


def test_a_lifecycle_rule_says_the_same_in_the_words_of_the_api() -> None:
    setting = next(one for one in SETTINGS if one.name == "LifecycleConfiguration")
    written = {
        "Rules": [
            {"Id": "a", "Status": "Enabled", "Prefix": "raw/", "ExpirationInDays": 3, "TagFilters": [{"Key": "k"}]},
            {"Id": "b", "Status": "Enabled", "NoncurrentVersionExpirationInDays": 9},
            {"Id": "c", "Status": "Enabled", "Transitions": [{"TransitionInDays": 5, "StorageClass": "GLACIER"}]},
        ]
    }
    assert setting.to_api(written)["Rules"] == [
        {
            "ID": "a",
            "Status": "Enabled",
            "Filter": {"And": {"Prefix": "raw/", "Tags": [{"Key": "k"}]}},
            "Expiration": {"Days": 3},
        },
        {
            "ID": "b",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 9},
        },
        {
            "ID": "c",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "Transitions": [{"Days": 5, "StorageClass": "GLACIER"}],
        },
    ]


@pytest.mark.parametrize(
    ("given", "local"),
    [
        ("https://ab12.execute-api.us-east-1.amazonaws.com/live", "http://h:1/restapis/ab12/live/_user_request_"),
        ("https://ab12.execute-api.us-east-1.amazonaws.com/live/", "http://h:1/restapis/ab12/live/_user_request_"),
        (
            "https://ab12.execute-api.us-east-1.amazonaws.com/live/models/x",
            "http://h:1/restapis/ab12/live/_user_request_/models/x",
        ),
        ("arn:aws:s3:::bucket", "arn:aws:s3:::bucket"),
    ],
)
def test_the_address_of_an_api_is_one_that_answers_here(given: str, local: str) -> None:
    resources = {"Api": {"type": "AWS::ApiGateway::RestApi", "id": "ab12"}}
    assert reachable({"ApiUrl": given}, resources, "http://h:1") == {"ApiUrl": local}
