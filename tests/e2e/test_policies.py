"""Least privilege where the emulator does not enforce it: roles of state machines, rules and schedules.

Every run proves the roles of functions, which the emulator enforces. Here `simulate_principal_policy` is asked, for
each task of each state machine, each target of each rule, and each schedule, whether its role has what it needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from infra.local.cloud import LocalCloud

# AWS page "Actions, resources, and condition keys for Amazon ECR"
NO_RESOURCES = ("ecr:GetAuthorizationToken", "cloudwatch:PutMetricData", "cloudwatch:GetMetricStatistics")


class Need(NamedTuple):
    """`name` (for people) needs `action` on `resource`, with `role`; in a table, on the records of a partition key."""

    name: str
    role: str
    action: str
    resource: str
    key: str = ""


def test_state_machines_rules_and_schedules_have_the_permissions_that_they_need(cloud: LocalCloud) -> None:
    check_permissions(cloud)


def check_permissions(cloud: LocalCloud) -> None:
    """Fail with the name of each state machine, rule or schedule that lacks a permission, and of the permission."""
    iam = cloud.admin.client("iam")
    needs = all_needs(cloud)
    assert len(needs) > 15
    denied = [need for need in needs if not allowed(iam, need)]
    assert not denied, "not allowed: " + "; ".join(
        f"{need.name}: {need.action} on {need.resource} by {need.role}" for need in denied
    )


def test_state_machines_rules_and_schedules_have_no_other_permission(cloud: LocalCloud) -> None:
    iam = cloud.admin.client("iam")
    needs = {(need.role, need.action, need.resource) for need in all_needs(cloud)}
    for need in all_needs(cloud):
        assert not need.key or not allowed(iam, need._replace(key=f"{need.key}#")), (
            f"{need.role} may read other records"
        )
    for role in {role for role, _, _ in needs}:
        for action, resource in statements(iam, role):
            if not action.startswith(("xray:", "sqs:")):
                assert (role, action, resource) in needs, f"{role} has {action} on {resource}, which nothing needs"


def test_no_role_has_a_wildcard_resource_except_for_tracing(cloud: LocalCloud) -> None:
    iam = cloud.admin.client("iam")
    for page in iam.get_paginator("list_roles").paginate():
        for role in page["Roles"]:
            if role["RoleName"].startswith("modelcycle"):
                for action, resource in statements(iam, role["Arn"]):
                    assert resource != "*" or action.startswith("xray:") or action in NO_RESOURCES, (
                        f"{role['RoleName']}: {action} on *"
                    )
                    assert "*" not in action, f"{role['RoleName']}: {action}"


def test_every_function_has_its_own_role(cloud: LocalCloud) -> None:
    functions = cloud.admin.client("lambda").get_paginator("list_functions").paginate().build_full_result()["Functions"]
    roles = [f["Role"] for f in functions if f["FunctionName"].startswith("modelcycle-")]
    assert len(roles) == len(set(roles)) >= 19


def all_needs(cloud: LocalCloud) -> list[Need]:
    """Return what all state machines, rules and schedules of the stack need."""
    return [*needs_of_state_machines(cloud), *needs_of_rules(cloud), *needs_of_schedules(cloud)]


def needs_of_state_machines(cloud: LocalCloud) -> Iterator[Need]:
    states = cloud.admin.client("stepfunctions")
    for machine in states.list_state_machines()["stateMachines"]:
        if not machine["name"].startswith("modelcycle-"):
            continue
        described = states.describe_state_machine(stateMachineArn=machine["stateMachineArn"])
        definition = json.loads(described["definition"])
        yield from needs_of_distributed_maps(machine, definition, described["roleArn"])
        for name, state in tasks(definition):
            task, role, resource = f"{machine['name']}.{name}", described["roleArn"], state["Resource"]
            if ":lambda:" in resource:
                yield Need(task, role, "lambda:InvokeFunction", resource)
            elif resource.endswith(":startExecution.sync:2"):
                nested = state["Parameters"]["StateMachineArn"]
                yield Need(task, role, "states:StartExecution", nested)
                executions = f"{nested.replace(':stateMachine:', ':execution:')}:*"
                yield Need(task, role, "states:DescribeExecution", executions)
                yield Need(task, role, "states:StopExecution", executions)
                yield from needs_of_waiting(task, role, nested, "StepFunctionsExecution")
                # the role that is given to the container
                container = states.describe_state_machine(stateMachineArn=nested)["roleArn"]
                yield Need(task, container, "iam:PassRole", state["Parameters"]["Input"]["role"])
            elif resource.endswith(":ecs:runTask.sync"):
                task_definition = state["Parameters"]["TaskDefinition"].rpartition(":")[0]
                yield Need(task, role, "ecs:RunTask", f"{task_definition}:*")
                tasks_of_cluster = f"{state['Parameters']['Cluster'].replace(':cluster/', ':task/')}/*"
                yield Need(task, role, "ecs:StopTask", tasks_of_cluster)
                yield Need(task, role, "ecs:DescribeTasks", tasks_of_cluster)
                yield from needs_of_waiting(task, role, task_definition, "ECSTask")
                described_task = cloud.admin.client("ecs").describe_task_definition(taskDefinition=task_definition)
                yield Need(task, role, "iam:PassRole", described_task["taskDefinition"]["executionRoleArn"])
            elif resource.endswith(":sagemaker:createTrainingJob.sync"):
                # this stack has Fargate, and Step Functions checks the rule for each task of the definition;
                # tests/unit/test_containers.py reads the policy for SageMaker
                yield from needs_of_waiting(task, role, machine["stateMachineArn"], "SageMakerTrainingJobs")
            elif resource.endswith(":states:startExecution"):
                yield Need(task, role, "states:StartExecution", state["Parameters"]["StateMachineArn"])
            elif resource.endswith(":aws-sdk:dynamodb:query"):
                dynamodb, name = cloud.admin.client("dynamodb"), state["Parameters"]["TableName"]
                arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
                values = state["Parameters"]["ExpressionAttributeValues"]
                yield Need(task, role, "dynamodb:Query", arn, *(value["S"] for value in values.values()))
            else:
                raise AssertionError(f"{task}: add to this test which permission {resource} needs")


def needs_of_waiting(task: str, role: str, arn: str, service: str) -> Iterator[Need]:
    """Yield what a task needs that waits: a rule which Step Functions makes, and which tells it of the end."""
    rule = f"{':'.join(arn.split(':')[:2])}:events:{':'.join(arn.split(':')[3:5])}:rule"
    for action in ("events:PutTargets", "events:PutRule", "events:DescribeRule"):
        yield Need(task, role, action, f"{rule}/StepFunctionsGetEventsFor{service}Rule")


def needs_of_distributed_maps(machine: dict[str, Any], definition: dict[str, Any], role: str) -> Iterator[Need]:
    """Yield what a Distributed Map needs: its items are executions of the state machine that it is in."""
    for name, state in definition["States"].items():
        if state.get("ItemProcessor", {}).get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED":
            arn, task = machine["stateMachineArn"], f"{machine['name']}.{name}"
            items = f"{arn.replace(':stateMachine:', ':execution:')}/{state['Label']}:*"
            yield Need(task, role, "states:StartExecution", arn)
            yield Need(task, role, "states:DescribeExecution", items)
            yield Need(task, role, "states:StopExecution", items)


def tasks(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and definition of each task of a state machine, those of Map and Parallel states included."""
    for name, state in machine["States"].items():
        if state["Type"] == "Task":
            yield name, state
        for inner in [state.get("ItemProcessor"), *state.get("Branches", [])]:
            if inner:
                yield from tasks(inner)


def needs_of_rules(cloud: LocalCloud) -> Iterator[Need]:
    events = cloud.admin.client("events")
    for bus in events.list_event_buses()["EventBuses"]:
        for rule in events.list_rules(EventBusName=bus["Name"])["Rules"]:
            if not rule["Name"].startswith("modelcycle"):
                continue
            for target in events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus["Name"])["Targets"]:
                if ":states:" in target["Arn"]:
                    yield Need(f"rule {rule['Name']}", target["RoleArn"], "states:StartExecution", target["Arn"])
                elif ":sns:" in target["Arn"]:
                    assert may_be_published_to(cloud, target["Arn"], rule["Arn"]), (
                        f"{rule['Name']} may not publish to {target['Arn']}"
                    )
                else:
                    assert may_be_invoked(cloud, target["Arn"], rule["Arn"]), (
                        f"{rule['Name']} may not call {target['Arn']}"
                    )


def may_be_invoked(cloud: LocalCloud, function: str, rule: str) -> bool:
    """Return whether a function's resource policy allows a rule to call it; no role is involved."""
    functions = cloud.admin.client("lambda")
    name, _, alias = function.partition(":function:")[2].partition(":")
    try:
        policy = json.loads(
            functions.get_policy(FunctionName=name, **({"Qualifier": alias} if alias else {}))["Policy"]
        )
    except functions.exceptions.ResourceNotFoundException:
        return False
    return any(
        statement["Principal"] == {"Service": "events.amazonaws.com"} and rule in json.dumps(statement.get("Condition"))
        for statement in policy["Statement"]
    )


def may_be_published_to(cloud: LocalCloud, topic: str, rule: str) -> bool:
    """Return whether a topic's policy allows a rule to publish; no role is involved."""
    attributes = cloud.admin.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
    return any(
        statement["Principal"] == {"Service": "events.amazonaws.com"}
        and statement["Action"] == "sns:Publish"
        and rule in json.dumps(statement.get("Condition"))
        for statement in json.loads(attributes["Policy"])["Statement"]
    )


def needs_of_schedules(cloud: LocalCloud) -> Iterator[Need]:
    scheduler = cloud.admin.client("scheduler")
    for listed in scheduler.list_schedules()["Schedules"]:
        schedule = scheduler.get_schedule(Name=listed["Name"], GroupName=listed["GroupName"])
        target = schedule["Target"]
        action = "lambda:InvokeFunction" if ":lambda:" in target["Arn"] else "states:StartExecution"
        yield Need(f"schedule {listed['Name']}", target["RoleArn"], action, target["Arn"])
        if "DeadLetterConfig" in target:
            yield Need(
                f"schedule {listed['Name']}", target["RoleArn"], "sqs:SendMessage", target["DeadLetterConfig"]["Arn"]
            )


def allowed(iam: Any, need: Need) -> bool:
    """Return whether the role of a need has the permission."""
    entries = [
        {"ContextKeyName": name, "ContextKeyValues": [value], "ContextKeyType": kind}
        for name, value, kind in (
            ("dynamodb:LeadingKeys", need.key, "stringList"),
            ("iam:PassedToService", "ecs-tasks.amazonaws.com" if need.action == "iam:PassRole" else "", "string"),
        )
        if value
    ]
    answer = iam.simulate_principal_policy(
        PolicySourceArn=need.role, ActionNames=[need.action], ResourceArns=[need.resource],
        ContextEntries=entries,
    )  # fmt: skip
    return all(result["EvalDecision"] == "allowed" for result in answer["EvaluationResults"])


def statements(iam: Any, role: str) -> Iterator[tuple[str, str]]:
    """Yield each action and resource that the inline policies of a role allow."""
    name = role.rpartition("/")[2]
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        document = json.loads(document) if isinstance(document, str) else document
        for statement in document["Statement"]:
            for action in as_list(statement["Action"]):
                for resource in as_list(statement["Resource"]):
                    yield action, resource


def as_list(value: str | list[str]) -> list[str]:
    """Return a list; a policy may contain a single text instead."""
    return [value] if isinstance(value, str) else value
