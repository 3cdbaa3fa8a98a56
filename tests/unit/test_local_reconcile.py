"""Intrinsic functions as CloudFormation evaluates them, and when a property has the template's value."""

from __future__ import annotations

from typing import Any

import pytest

from infra.local.deployment.intrinsics import ABSENT, DeployedStack, Unresolvable
from infra.local.deployment.properties import PROPERTIES
from infra.local.deployment.reconcile import covers, reachable_outputs

STACK = DeployedStack(
    template={
        "Conditions": {
            "Prod": {"Fn::Equals": [{"Ref": "Stage"}, "prod"]},
            "NotProd": {"Fn::Not": [{"Condition": "Prod"}]},
            "Both": {"Fn::And": [{"Condition": "Prod"}, {"Condition": "NotProd"}]},
            "Either": {"Fn::Or": [{"Condition": "Prod"}, {"Condition": "NotProd"}]},
        },
        "Mappings": {"Days": {"dev": {"retention": 7}}},
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
    ("node", "value"),
    [
        ({"Ref": "Stage"}, "dev"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws:sqs:us-east-1:000000000000:q"),
        ({"Fn::GetAtt": "Key.Arn"}, "arn:aws:kms:us-east-1:000000000000:key/k-1"),
        ({"Fn::GetAtt": ["Storage", "Outputs.Table"]}, "t"),
        ({"Fn::Sub": "${Stage}-${Storage.Outputs.Table}-${!literal}"}, "dev-t-${literal}"),
        ({"Fn::Sub": ["${X}", {"X": {"Ref": "AWS::Region"}}]}, "us-east-1"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Stage"}]]}, "a-dev"),
        ({"Fn::If": ["Prod", 1, {"Fn::FindInMap": ["Days", {"Ref": "Stage"}, "retention"]}]}, 7),
        ({"Fn::If": ["Both", 1, 2]}, 2),
        ({"Fn::If": ["Either", 1, 2]}, 1),
        ({"Fn::Select": [1, {"Fn::Split": ["-", "a-b"]}]}, "b"),
        ([1, {"Ref": "AWS::NoValue"}], [1]),
        ({"present": 1, "absent": {"Fn::If": ["Prod", 1, {"Ref": "AWS::NoValue"}]}}, {"present": 1}),
    ],
    ids=str,
)
def test_an_intrinsic_function_is_evaluated(node: Any, value: Any) -> None:
    assert STACK.value(node) == value


def test_no_value_is_absent() -> None:
    assert STACK.value({"Ref": "AWS::NoValue"}) is ABSENT


@pytest.mark.parametrize(
    "node", [{"Ref": "Nothing"}, {"Fn::GetAtt": ["Queue", "Colour"]}, {"Fn::Base64": "x"}], ids=str
)
def test_an_unknown_value_is_an_error(node: Any) -> None:
    with pytest.raises(Unresolvable):
        STACK.value(node)


@pytest.mark.parametrize(
    ("actual", "wanted", "covered"),
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
def test_a_value_is_covered_if_everything_wanted_is_in_it(actual: Any, wanted: Any, covered: bool) -> None:
    assert covers(actual, wanted) is covered


def test_a_lifecycle_rule_has_the_form_of_the_api() -> None:
    lifecycle = next(checked for checked in PROPERTIES if checked.name == "LifecycleConfiguration")
    in_template = {
        "Rules": [
            {"Id": "a", "Status": "Enabled", "Prefix": "raw/", "ExpirationInDays": 3},
            {"Id": "b", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": 9}},
        ]
    }
    assert lifecycle.to_api(in_template)["Rules"] == [
        {"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "raw/"}, "Expiration": {"Days": 3}},
        {
            "ID": "b",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 9},
        },
    ]


@pytest.mark.parametrize(
    ("output", "reachable"),
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
def test_the_address_of_an_api_is_reachable_from_this_machine(output: str, reachable: str) -> None:
    resources = {"Api": {"type": "AWS::ApiGateway::RestApi", "id": "ab12"}}
    assert reachable_outputs({"ApiUrl": output}, resources, "http://h:1") == {"ApiUrl": reachable}
