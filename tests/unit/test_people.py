"""Each policy for people allows the verbs that docs/permissions.md lists for it, and nothing else."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
import typer
from ministack.core import iam_evaluator

from cli.main import app
from tests.people_tables import FORBIDDEN, POLICIES, Site, arns, needs, needs_of, statements, strays, verbs

MAX_STACK_NAME = 20  # characters: docs/limits.md
MAX_POLICY_CHARACTERS = 6_144  # IAM's quota of a managed policy, white space not counted
SCOPE = "us-east-1:123456789012"
SITE = Site({
    "Stack": "mc", "DataBucketArn": "arn:aws:s3:::data", "ArtifactBucketArn": "arn:aws:s3:::artifacts",
    "SealBucketArn": "arn:aws:s3:::seals",
    "SigningKeyArn": f"arn:aws:kms:{SCOPE}:key/signing",
    "RegistryArn": f"arn:aws:dynamodb:{SCOPE}:table/registry", "UndeliveredArn": f"arn:aws:sqs:{SCOPE}:undelivered",
    "Stream": "both", "StreamArn": f"arn:aws:kinesis:{SCOPE}:stream/records",
    "QueueArn": f"arn:aws:sqs:{SCOPE}:records",
    "LifecycleArn": f"arn:aws:states:{SCOPE}:stateMachine:mc-lifecycle",
    "MonitoringArn": f"arn:aws:states:{SCOPE}:stateMachine:mc-monitoring",
    "BatchScoringArn": f"arn:aws:states:{SCOPE}:stateMachine:mc-batch-scoring",
    "ErasureArn": f"arn:aws:states:{SCOPE}:stateMachine:mc-erasure",
    "PullArn": f"arn:aws:lambda:{SCOPE}:function:mc-Pull-1:live",
    "RetrainArn": f"arn:aws:lambda:{SCOPE}:function:mc-Retrain-1:live",
    "CandidateArn": f"arn:aws:lambda:{SCOPE}:function:mc-Candidate-1:live",
    "ScheduleRoleArn": "arn:aws:iam::123456789012:role/mc-ScheduleRole-1", "ApiId": "api", "Access": "iam",
})  # fmt: skip
ACTIONS = {action for pairs in needs().values() for action, _ in pairs} | FORBIDDEN


@cache
def parsed(policy: str) -> Any:
    return iam_evaluator.parse_policy_document({"Version": "2012-10-17", "Statement": statements(policy, SITE)})


def allowed(policy: str, action: str, resource: str, passed_to: str = "scheduler.amazonaws.com") -> bool:
    context = iam_evaluator.EvalContext(
        principal_arn="arn:aws:iam::123456789012:user/ann", principal_type="User", principal_account="123456789012",
        action=action, resource_arn=resource, region="us-east-1",
        service_context={"iam:passedtoservice": passed_to} if action == "iam:PassRole" else {},
    )  # fmt: skip
    return bool(iam_evaluator.evaluate(context, [parsed(policy)]).decision == "Allow")


def expected(policy: str) -> set[tuple[str, str]]:
    """Return the pairs of action and ARN that the document gives a policy."""
    named = arns(SITE)
    return {
        (action, arn) for need in needs_of(policy) for action, place in needs()[need] for arn in named[place]
    }  # fmt: skip


def test_every_verb_of_the_command_line_is_in_the_document_and_no_other() -> None:
    command = typer.main.get_command(app)
    listed = {name.partition(" ")[0] for name in verbs()}
    assert listed == set(command.commands)  # type: ignore[attr-defined]


def test_every_option_of_the_document_exists() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name in verbs():
        verb, _, option = name.partition(" ")
        known = {text for parameter in commands[verb].params for text in parameter.opts}
        assert not option or option in known, name


def test_the_document_names_policies_needs_and_places_that_exist() -> None:
    for verb in verbs().values():
        assert set(verb.policies) <= POLICIES.keys() and set(verb.needs) <= needs().keys(), verb
    used = {need for verb in verbs().values() for need in verb.needs}
    assert used == needs().keys()
    assert {place for pairs in needs().values() for _, place in pairs} == arns(SITE).keys()


@pytest.mark.parametrize("name", [name for name, verb in verbs().items() if verb.policies])
def test_the_policies_of_a_verb_allow_together_what_it_needs(name: str) -> None:
    verb, named = verbs()[name], arns(SITE)
    for need in verb.needs:
        for action, place in needs()[need]:
            for arn in named[place]:
                assert any(allowed(policy, action, arn) for policy in verb.policies), (need, action, arn)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_allows_what_the_document_says_and_nothing_else(policy: str) -> None:
    places = {arn for found in arns(SITE).values() for arn in found} | set(strays(SITE))
    found = {(action, arn) for action in ACTIONS for arn in places if allowed(policy, action, arn)}
    assert found == expected(policy) != set()


@pytest.mark.parametrize("policy", POLICIES)
def test_every_action_and_resource_of_a_policy_is_in_the_document(policy: str) -> None:
    """Else the test above would not try it."""
    pairs = expected(policy)
    for statement in statements(policy, SITE):
        for action in as_list(statement["Action"]):
            assert "*" not in action
            for resource in as_list(statement["Resource"]):
                assert resource != "*"
                only = iam_evaluator.parse_policy_document(
                    {
                        "Version": "2012-10-17",
                        "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}],
                    }
                )
                assert any(reaches(only, *pair) for pair in pairs), f"{action} on {resource}"


def test_what_operates_may_also_read_all_that_is_read_only() -> None:
    assert expected("Auditor") < expected("Operator")


def test_the_role_of_schedules_is_passed_to_the_scheduler_alone() -> None:
    role = SITE.parameters["ScheduleRoleArn"]
    assert allowed("Operator", "iam:PassRole", role)
    assert not allowed("Operator", "iam:PassRole", role, "lambda.amazonaws.com")


@pytest.mark.parametrize("stream", ["none", "kinesis", "sqs"])
def test_a_stream_or_queue_that_does_not_exist_is_not_named(stream: str) -> None:
    site = Site(SITE.parameters | {"Stream": stream})
    for policy in ("Auditor", "Operator"):
        text = json.dumps(statements(policy, site))
        assert ("kinesis:" in text) == (stream == "kinesis")
        assert (site.parameters["QueueArn"] in text) == (stream == "sqs")


def as_cloudformation_names(stack: str, region: str) -> dict[str, str]:
    """Return the parameters with names as CloudFormation makes them, those of nested stacks with two random parts."""
    end, scope = "8VMSXKN2ZG6K", f"{region}:123456789012"

    def nested(part: str, name: str) -> str:
        return f"{stack}-{part}-1ABCDEFGHIJKL-{name}-{end}"

    buckets = {"DataBucketArn": ("Storage", "Data"), "ArtifactBucketArn": ("Storage", "Artifacts")}
    buckets["SealBucketArn"] = ("Seals", "Seals")
    flows = {
        "Lifecycle": "lifecycle",
        "Monitoring": "monitoring",
        "BatchScoring": "batch-scoring",
        "Erasure": "erasure",
    }
    return {
        "Stack": stack, "Access": "iam", "ApiId": "a1b2c3d4e5",
        "SigningKeyArn": f"arn:aws:kms:{scope}:key/12345678-1234-1234-1234-123456789012",
        "RegistryArn": f"arn:aws:dynamodb:{scope}:table/{nested('Storage', 'Registry')}",
        "UndeliveredArn": f"arn:aws:sqs:{scope}:{nested('Storage', 'Undelivered')}",
        "StreamArn": f"arn:aws:kinesis:{scope}:stream/{nested('Streams', 'Records')}",
        "QueueArn": f"arn:aws:sqs:{scope}:{nested('Streams', 'Queue')}",
        "ScheduleRoleArn": f"arn:aws:iam::123456789012:role/{stack}-ScheduleRole-{end}",
        **{name: f"arn:aws:s3:::{nested(*at).lower()[:63]}" for name, at in buckets.items()},
        **{f"{name}Arn": f"arn:aws:states:{scope}:stateMachine:{stack}-{flow}" for name, flow in flows.items()},
        **{
            f"{name}Arn": f"arn:aws:lambda:{scope}:function:{stack}-{name}-{end}:live"
            for name in ("Pull", "Retrain", "Candidate")
        },
    }  # fmt: skip


@pytest.mark.parametrize("stream", ["kinesis", "sqs"])
@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_fits_the_quota_with_names_as_cloudformation_makes_them(policy: str, stream: str) -> None:
    names = as_cloudformation_names("n" * MAX_STACK_NAME, "ap-southeast-2") | {"Stream": stream}
    assert names.keys() == SITE.parameters.keys()
    document = {"Version": "2012-10-17", "Statement": statements(policy, Site(names, "ap-southeast-2"))}
    assert len(json.dumps(document, separators=(",", ":"))) <= MAX_POLICY_CHARACTERS


def reaches(policy: Any, action: str, resource: str) -> bool:
    context = iam_evaluator.EvalContext(
        principal_arn="arn:aws:iam::1:user/ann", principal_type="User", principal_account="1", action=action,
        resource_arn=resource, region="us-east-1",
    )  # fmt: skip
    return bool(iam_evaluator.evaluate(context, [policy]).decision == "Allow")


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
