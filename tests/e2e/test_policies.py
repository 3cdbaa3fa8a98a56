"""Least privilege of what the emulator does not enforce: roles of flows, rules and schedules, and who may call whom.

Function roles are proved by every run (IAM is enforced). Here each task of each flow, each target of each rule and the
schedule are walked, and `simulate_principal_policy` is asked whether its role may do what it is there for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from infra.local import cloud as local


class Need(NamedTuple):
    """`who` (for people) needs `action` on `resource`, by `role`."""

    who: str
    role: str
    action: str
    resource: str


def test_every_flow_rule_and_schedule_may_do_just_what_it_is_there_for(cloud: local.Cloud) -> None:
    iam = cloud.admin.client("iam")
    needs = [*flows(cloud), *rules(cloud), *schedules(cloud)]
    assert len(needs) > 15
    denied = [need for need in needs if not allowed(iam, need)]
    assert not denied, "not allowed: " + "; ".join(f"{n.who}: {n.action} on {n.resource} by {n.role}" for n in denied)


def test_no_flow_rule_or_schedule_may_do_anything_else(cloud: local.Cloud) -> None:
    iam = cloud.admin.client("iam")
    needs = {(need.role, need.action, need.resource) for need in [*flows(cloud), *rules(cloud), *schedules(cloud)]}
    for role in {role for role, _, _ in needs}:
        for action, resource in statements(iam, role):
            if not action.startswith(("xray:", "sqs:")):
                assert (role, action, resource) in needs, f"{role} may {action} on {resource}, which nothing of it does"


def test_no_role_has_a_wildcard_resource_but_for_tracing(cloud: local.Cloud) -> None:
    iam = cloud.admin.client("iam")
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            if role["RoleName"].startswith("modelcycle"):
                for action, resource in statements(iam, role["Arn"]):
                    assert resource != "*" or action.startswith("xray:"), f"{role['RoleName']}: {action} on *"
                    assert "*" not in action, f"{role['RoleName']}: {action}"


def test_every_function_has_a_role_of_its_own(cloud: local.Cloud) -> None:
    functions = cloud.admin.client("lambda").get_paginator("list_functions").paginate().build_full_result()["Functions"]
    roles = [f["Role"] for f in functions if f["FunctionName"].startswith("modelcycle-")]
    assert len(roles) == len(set(roles)) >= 19


def flows(cloud: local.Cloud) -> Iterator[Need]:
    states = cloud.admin.client("stepfunctions")
    for machine in states.list_state_machines()["stateMachines"]:
        if not machine["name"].startswith("modelcycle-"):
            continue
        described = states.describe_state_machine(stateMachineArn=machine["stateMachineArn"])
        for name, state in tasks(json.loads(described["definition"])):
            who, role, resource = f"{machine['name']}.{name}", described["roleArn"], state["Resource"]
            if ":lambda:" in resource:
                yield Need(who, role, "lambda:InvokeFunction", resource)
            elif resource.endswith(":states:startExecution"):
                yield Need(who, role, "states:StartExecution", state["Parameters"]["StateMachineArn"])
            elif resource.endswith(":aws-sdk:dynamodb:query"):
                table = cloud.admin.client("dynamodb").describe_table(TableName=state["Parameters"]["TableName"])[
                    "Table"
                ]
                yield Need(who, role, "dynamodb:Query", table["TableArn"])
            else:
                raise AssertionError(f"{who}: this test does not know what {resource} needs; teach it")


def tasks(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            yield name, state
        for inner in [state.get("ItemProcessor"), *state.get("Branches", [])]:
            if inner:
                yield from tasks(inner)


def rules(cloud: local.Cloud) -> Iterator[Need]:
    events = cloud.admin.client("events")
    for bus in events.list_event_buses()["EventBuses"]:
        for rule in events.list_rules(EventBusName=bus["Name"])["Rules"]:
            if not rule["Name"].startswith("modelcycle"):
                continue
            for target in events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus["Name"])["Targets"]:
                if ":states:" in target["Arn"]:
                    yield Need(f"rule {rule['Name']}", target["RoleArn"], "states:StartExecution", target["Arn"])
                else:
                    assert may_be_invoked(cloud, target["Arn"], rule["Arn"]), (
                        f"{rule['Name']} may not call {target['Arn']}"
                    )


def may_be_invoked(cloud: local.Cloud, function: str, rule: str) -> bool:
    """A function that a rule calls has a permission for that very rule (no role is involved)."""
    functions = cloud.admin.client("lambda")
    name, _, alias = function.partition(":function:")[2].partition(":")
    try:
        told = functions.get_policy(FunctionName=name, **({"Qualifier": alias} if alias else {}))["Policy"]
    except functions.exceptions.ResourceNotFoundException:
        return False
    policy = json.loads(told)
    return any(
        statement["Principal"] == {"Service": "events.amazonaws.com"} and rule in json.dumps(statement.get("Condition"))
        for statement in policy["Statement"]
    )


def schedules(cloud: local.Cloud) -> Iterator[Need]:
    scheduler = cloud.admin.client("scheduler")
    for listed in scheduler.list_schedules()["Schedules"]:
        schedule = scheduler.get_schedule(Name=listed["Name"], GroupName=listed["GroupName"])
        target = schedule["Target"]
        yield Need(f"schedule {listed['Name']}", target["RoleArn"], "states:StartExecution", target["Arn"])
        if "DeadLetterConfig" in target:
            yield Need(
                f"schedule {listed['Name']}", target["RoleArn"], "sqs:SendMessage", target["DeadLetterConfig"]["Arn"]
            )


def allowed(iam: Any, need: Need) -> bool:
    answer = iam.simulate_principal_policy(
        PolicySourceArn=need.role, ActionNames=[need.action], ResourceArns=[need.resource]
    )
    return all(result["EvalDecision"] == "allowed" for result in answer["EvaluationResults"])


def statements(iam: Any, role: str) -> Iterator[tuple[str, str]]:
    name = role.rpartition("/")[2]
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        document = json.loads(document) if isinstance(document, str) else document
        for statement in document["Statement"]:
            for action in [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]:
                for resource in (
                    [statement["Resource"]] if isinstance(statement["Resource"], str) else statement["Resource"]
                ):
                    yield action, resource
