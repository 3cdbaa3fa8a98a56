"""No path of any API can be called without authorization, whatever access the template's parameter chooses."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from infra.local.deployment.intrinsics import DeployedStack
from infra.local.deployment.translate import _translate_by_sam, read_template

ROOT = Path(__file__).parents[2]
ACCESS = ("iam", "iam+key", "jwt")
S3 = {"Bucket": "b", "Key": "k"}
CALLERS = {
    "Stack": "mc", "ApiId": "first", "PredictArn": "arn:aws:lambda:us-east-1:1:function:predict:live",
    "FeedbackArn": "arn:aws:lambda:us-east-1:1:function:feedback:live",
    "ThrottleRate": "10", "ThrottleBurst": "5", "KeyRate": "2", "KeyBurst": "1", "KeyQuota": "7", "KeyPeriod": "DAY",
    "JwtIssuer": "https://issuer", "JwtAudience": "a,b", "JwtScope": "", "ApiLogArn": "arn:log", "ApiLogs": "none",
}  # fmt: skip


def translated(template: dict[str, Any], access: str) -> DeployedStack:
    """Return a template after SAM's translation, as it would be deployed with this access."""
    template = copy.deepcopy(template)
    for resource in template["Resources"].values():
        properties = resource.get("Properties") or {}
        for name in ("CodeUri", "ContentUri", "DefinitionUri"):
            if name in properties:
                properties[name] = S3
    given = {"Access": access, **CALLERS, "BuildSha": "1234567", "Environment": "dev"}
    declared = template["Parameters"]
    values = {name: str(body.get("Default", "")) for name, body in declared.items()}
    values |= {name: value for name, value in given.items() if name in declared}
    plain = _translate_by_sam(template, values, ROOT)
    resources = {name: {"type": made["Type"], "id": name} for name, made in plain["Resources"].items()}
    return DeployedStack(plain, values | {"AWS::StackName": "mc"}, resources, "us-east-1", "1")


def made(stack: DeployedStack, *types: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the resources of these types that exist, by logical id."""
    return {
        name: resource["Properties"]
        for name, resource in stack.template["Resources"].items()
        if resource["Type"] in types and ("Condition" not in resource or stack.is_true(resource["Condition"]))
    }


def authorization(stack: DeployedStack) -> dict[str, set[str]]:
    """Return what each method of each API requires, by `Api METHOD /path`; an empty set is an open method."""
    required: dict[str, set[str]] = {}
    for api, properties in made(stack, "AWS::ApiGateway::RestApi").items():
        for path, methods in properties["Body"]["paths"].items():
            for method, body in methods.items():
                schemes = body.get("security") or []
                assert isinstance(schemes, list), "a condition inside `security` is dropped or always on"
                required[f"{api} {method.upper()} {path}"] = {name for scheme in schemes for name in scheme}
    for properties in made(stack, "AWS::ApiGatewayV2::Route").values():
        kind = properties.get("AuthorizationType", "NONE")
        authorizer = stack.value(properties["AuthorizerId"]) if kind == "JWT" else ""
        assert kind != "JWT" or authorizer in made(stack, "AWS::ApiGatewayV2::Authorizer")
        required[f"{properties['ApiId']['Ref']} {properties['RouteKey']}"] = {kind} - {"NONE"}
    return required


@pytest.fixture(scope="module")
def root() -> dict[str, Any]:
    return read_template(ROOT / "template.yaml")


@pytest.fixture(scope="module")
def callers() -> dict[str, Any]:
    return read_template(ROOT / "infra" / "access.yaml")


@pytest.mark.parametrize("access", ACCESS)
def test_the_first_api_takes_signed_requests_alone_whatever_the_access(root: dict[str, Any], access: str) -> None:
    stack = translated(root, access)
    required = authorization(stack)
    assert "Api POST /models/{name}/decisions" in required
    assert set(map(frozenset, required.values())) == {frozenset({"AWS_IAM"})}
    assert not made(stack, "AWS::Lambda::Url")
    body = made(stack, "AWS::ApiGateway::RestApi")["Api"]["Body"]
    assert body["securityDefinitions"]["AWS_IAM"]["x-amazon-apigateway-authtype"] == "awsSigv4"


@pytest.mark.parametrize(
    ("access", "expected"), [("iam", set()), ("iam+key", {"AWS_IAM", "api_key"}), ("jwt", {"JWT"})]
)
def test_further_apis_are_never_open_and_take_no_decisions(
    callers: dict[str, Any], access: str, expected: set[str]
) -> None:
    required = authorization(translated(callers, access))
    assert all(found == expected for found in required.values())
    assert bool(required) == bool(expected)
    assert not [path for path in required if "decisions" in path or path.endswith(" /{proxy+}")]


@pytest.mark.parametrize("access", ["iam+key", "jwt"])
def test_a_further_api_has_every_path_of_the_predictions(
    root: dict[str, Any], callers: dict[str, Any], access: str
) -> None:
    events = [
        event
        for name in ("Predict", "AcceptFeedback")
        for event in root["Resources"][name]["Properties"]["Events"].values()
    ]
    paths = [f"{event['Properties']['Method'].upper()} {event['Properties']['Path']}" for event in events]
    offered = [re.sub(r"\\\{proxy\\\+\\\}", ".+", re.escape(key.partition(" ")[2]))
               for key in authorization(translated(callers, access))]  # fmt: skip
    assert len(paths) > 10
    assert [path for path in paths if not any(re.fullmatch(pattern, path) for pattern in offered)] == []


@pytest.mark.parametrize(("access", "api"), [("iam+key", "KeyApi"), ("jwt", "TokenApi")])
def test_only_the_chosen_api_may_call_the_functions(callers: dict[str, Any], access: str, api: str) -> None:
    stack = translated(callers, access)
    granted = [stack.value(found) for found in made(stack, "AWS::Lambda::Permission").values()]
    assert {found["FunctionName"] for found in granted} == {CALLERS["PredictArn"], CALLERS["FeedbackArn"]}
    assert len(granted) == 2 and all(f":{api}/" in found["SourceArn"] for found in granted)


def test_a_token_is_checked_for_issuer_and_audience(callers: dict[str, Any]) -> None:
    stack = translated(callers, "jwt")
    (authorizer,) = made(stack, "AWS::ApiGatewayV2::Authorizer").values()
    assert stack.value(authorizer["JwtConfiguration"]) == {"Issuer": "https://issuer", "Audience": ["a", "b"]}


def test_without_issuer_or_audience_the_template_is_refused(root: dict[str, Any]) -> None:
    rule = root["Rules"]["TokensNeedAnIssuer"]
    stack = DeployedStack(root, {"Access": "jwt", "JwtIssuer": "https://i", "JwtAudience": ""}, {}, "us-east-1", "1")
    assert stack.is_true(rule["RuleCondition"])
    assert [stack.is_true(assertion["Assert"]) for assertion in rule["Assertions"]] == [True, False]


@pytest.mark.parametrize(
    ("issuer", "fits"),
    [("", True), ("https://login.example.com/tenant/", True), ("http://127.0.0.1:80/x", True),
     ("http://login.example.com", False), ("http://127.0.0.1.evil.example", False), ("ftp://x", False)],
)  # fmt: skip
def test_an_issuer_has_an_encrypted_address(root: dict[str, Any], issuer: str, fits: bool) -> None:
    assert bool(re.fullmatch(root["Parameters"]["JwtIssuer"]["AllowedPattern"], issuer)) == fits


def test_the_limits_of_a_key_and_of_a_stage_are_parameters(callers: dict[str, Any]) -> None:
    stack = translated(callers, "iam+key")
    (plan,) = made(stack, "AWS::ApiGateway::UsagePlan").values()
    assert stack.value(plan["Throttle"]) == {"RateLimit": "2", "BurstLimit": "1"}
    assert stack.value(plan["Quota"]) == {"Limit": "7", "Period": "DAY"}
    (stage,) = made(stack, "AWS::ApiGateway::Stage").values()
    (setting,) = stack.value(stage["MethodSettings"])
    assert (setting["ThrottlingRateLimit"], setting["ThrottlingBurstLimit"]) == ("10", "5")


def test_predicting_and_deciding_are_different_permissions(callers: dict[str, Any]) -> None:
    for access, api in (("iam", "first"), ("iam+key", "KeyApi"), ("jwt", "first")):
        policies = made(translated(callers, access), "AWS::IAM::ManagedPolicy")
        stack = translated(callers, access)
        resources = {
            name: [stack.value(statement["Resource"]) for statement in body["PolicyDocument"]["Statement"]]
            for name, body in policies.items()
        }
        assert resources["DecidePolicy"] == ["arn:aws:execute-api:us-east-1:1:first/live/POST/models/*/decisions"]
        (predicting,) = resources["PredictPolicy"]
        assert all(f":{api}/live/" in resource for resource in predicting)
        assert not [resource for resource in predicting if resource.endswith(("/live/*", "/models/*", "decisions"))]


def test_the_check_finds_what_sam_drops(callers: dict[str, Any]) -> None:
    """SAM 1.115 drops a conditional authorizer without a word. When it no longer does, this test fails."""
    template = copy.deepcopy(callers)
    template["Resources"]["KeyApi"]["Properties"]["Auth"] = {
        "DefaultAuthorizer": {"Fn::If": ["Key", "AWS_IAM", {"Ref": "AWS::NoValue"}]}
    }
    assert set() in authorization(translated(template, "iam+key")).values()


def test_a_refusal_of_api_gateway_names_the_request(root: dict[str, Any], callers: dict[str, Any]) -> None:
    for template, access in ((root, "iam"), (callers, "iam+key")):
        for api in made(translated(template, access), "AWS::ApiGateway::RestApi").values():
            responses = api["Body"]["x-amazon-apigateway-gateway-responses"]
            assert set(responses) == {"DEFAULT_4XX", "DEFAULT_5XX"}
            for response in responses.values():
                assert response["responseParameters"]["gatewayresponse.header.X-Request-Id"] == "context.requestId"
                assert "urn:modelcycle:request:$context.requestId" in response["responseTemplates"]["application/json"]


def test_each_stage_logs_the_request_id(root: dict[str, Any], callers: dict[str, Any]) -> None:
    for template, access in ((root, "iam"), (callers, "iam+key"), (callers, "jwt")):
        stages = made(translated(template, access), "AWS::ApiGateway::Stage", "AWS::ApiGatewayV2::Stage")
        assert len(stages) == 1
        for stage in stages.values():
            settings = stage.get("AccessLogSetting") or stage["AccessLogSettings"]
            condition, logged, _ = settings["Fn::If"]
            assert condition == "Logged"
            assert '"request_id": "$context.requestId"' in logged["Format"]
