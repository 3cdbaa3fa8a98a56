"""Brings buckets and a registry that a stack uses, but has not made, to the settings of the template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.deployment.existing_data import HOLDS_TAG, PARAMETERS, REPLACED, SET_TAG, STACK_TAG, wait_for_table
from infra.deployment.faults import DeploymentFailed
from infra.local.deployment.intrinsics import ABSENT, DeployedStack, Unresolvable
from infra.local.deployment.properties import PROPERTIES, Property, Read, Write
from infra.local.deployment.reconcile import covers
from infra.local.deployment.translate import read_template

LOGICAL_IDS = {"data": "Data", "artifacts": "Artifacts", "registry": "Registry"}
Client = Callable[[str], Any]
Say = Callable[[str], None]

# The properties that the local cloud has to set too, and one that only a bucket of an earlier stack can have lost.
SETTINGS = (
    *(found for found in PROPERTIES if found.resource_type in ("AWS::S3::Bucket", "AWS::DynamoDB::Table")
      and found.name != "Tags"),
    Property(
        "AWS::S3::Bucket", "NotificationConfiguration", "s3",
        Read("get_bucket_notification_configuration", "Bucket"),
        Write("put_bucket_notification_configuration", "Bucket", "NotificationConfiguration"),
        to_api=lambda _: {"EventBridgeConfiguration": {}},
    ),
)  # fmt: skip


def apply_settings(client: Client, template: Path, parameters: Mapping[str, str], say: Say) -> None:
    """Bring the data that the stack uses, but has not made, to the settings of the template.

    CloudFormation does not know them any more: lifecycle rules, encryption, versions, recovery, events and tags.

    Parameters
    ----------
    template : `infra/storage.yaml`
    parameters : of that nested stack, and `AWS::StackName`

    Raises
    ------
    DeploymentFailed : AWS refuses a setting
    """
    from botocore.exceptions import ClientError, ParamValidationError

    names = {holds: parameters.get(parameter, "") for holds, parameter in PARAMETERS.items()}
    if not any(names.values()):
        return
    body = read_template(template)
    identity = client("sts").get_caller_identity()
    region = client("s3").meta.region_name
    stack = DeployedStack(body, dict(parameters), {}, region, identity["Account"])
    for holds, name in names.items():
        if not name:
            continue
        resource = body["Resources"][LOGICAL_IDS[holds]]
        for setting in SETTINGS:
            if setting.resource_type != resource["Type"] or setting.name not in resource["Properties"]:
                continue
            try:
                value = stack.value(resource["Properties"][setting.name])
            except Unresolvable as error:
                say(f"not set: {setting.name} of {name}: {error}")
                continue
            if value is ABSENT:
                continue
            wanted = setting.to_api(value)
            if covers(setting.read(client, name), wanted):
                continue
            try:
                _write(client, setting, name, wanted)
            except (ClientError, ParamValidationError) as error:
                raise DeploymentFailed(
                    f"AWS does not accept {setting.name}: {error}", name, "correct it, then deploy again"
                ) from None
            say(f"set {setting.name} of {name} as the template says")
        scope = f"dynamodb:{region}:{identity['Account']}:table/" if holds == "registry" else "s3:::"
        _tag(client, holds, f"arn:{identity['Arn'].split(':')[1]}:{scope}{name}", parameters)


def _write(client: Client, setting: Property, name: str, wanted: Any) -> None:
    if setting.name == "NotificationConfiguration":
        # the call replaces all, and the bucket may tell others too
        before = client("s3").get_bucket_notification_configuration(Bucket=name)
        wanted = {key: value for key, value in before.items() if key != "ResponseMetadata"} | wanted
    setting.write(client, name, wanted)
    if setting.service == "dynamodb":
        wait_for_table(client, name)


def _tag(client: Client, holds: str, arn: str, parameters: Mapping[str, str]) -> None:
    """Say by tags that the stack uses this, and that what it used in its place is replaced.

    A table that was restored has no tags. The tagging API adds tags and leaves the others, which `put_bucket_tagging`
    cannot: S3 refuses a request without the tags that CloudFormation has given.
    """
    tagging = client("resourcegroupstaggingapi")
    of_stack = {STACK_TAG: parameters["Stack"], SET_TAG: parameters["AWS::StackName"]}
    pages = tagging.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": key, "Values": [value]} for key, value in (of_stack | {HOLDS_TAG: holds}).items()]
    )
    in_use = {found["ResourceARN"] for page in pages for found in page["ResourceTagMappingList"]}
    if arn not in in_use:
        _add_tags(tagging, [arn], of_stack | {HOLDS_TAG: holds})
    if in_use - {arn}:
        _add_tags(tagging, sorted(in_use - {arn}), {HOLDS_TAG: REPLACED})


def _add_tags(tagging: Any, arns: list[str], tags: dict[str, str]) -> None:
    for arn, reason in tagging.tag_resources(ResourceARNList=arns, Tags=tags)["FailedResourcesMap"].items():
        raise DeploymentFailed(
            f"AWS does not tag it: {reason.get('ErrorMessage')}", arn, "correct it, then deploy again"
        )
