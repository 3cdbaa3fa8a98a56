"""Finds the buckets and the registry that outlived a stack, and makes them fit for the next one.

They are found by the tags that the template gives them: whose they are (`modelcycle:stack`), which belong together
(`modelcycle:set`), and what they hold (`modelcycle:holds`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.deployment.faults import BadSetting, DataUnclear, DeploymentFailed
from infra.local.deployment.intrinsics import DeployedStack, Unresolvable
from infra.local.deployment.properties import PROPERTIES, Property, Read, Write
from infra.local.deployment.reconcile import covers
from infra.local.deployment.translate import read_template

STACK_TAG, SET_TAG, HOLDS_TAG = "modelcycle:stack", "modelcycle:set", "modelcycle:holds"
REPLACED = "replaced"  # what a restored table holds the place of; nothing uses it, and nothing finds it but `destroy`
NEW = "new"  # instead of the name of a table: use nothing that was kept
Client = Callable[[str], Any]
Say = Callable[[str], None]

PARAMETERS = {"data": "ExistingDataBucket", "artifacts": "ExistingArtifactBucket", "registry": "ExistingRegistry"}
STREAM_PARAMETER = "ExistingRegistryStream"
LOGICAL_IDS = {"ExistingDataBucket": "Data", "ExistingArtifactBucket": "Artifacts", "ExistingRegistry": "Registry"}
PARTS = {"data": "data bucket", "artifacts": "artifact bucket", "registry": "registry"}

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


@dataclass(frozen=True)
class KeptData:
    """Two buckets and a table that outlived a stack together.

    Parameters
    ----------
    name : of the set
    data, artifacts, registry : names; empty where one is missing
    """

    name: str
    data: str = ""
    artifacts: str = ""
    registry: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """The template's parameters that name them."""
        return {parameter: getattr(self, holds) for holds, parameter in PARAMETERS.items()}

    @property
    def missing(self) -> list[str]:
        """What of the set is gone, for people."""
        return [words for holds, words in PARTS.items() if not getattr(self, holds)]

    def __str__(self) -> str:
        return ", ".join(f"{words} {getattr(self, holds)}" for holds, words in PARTS.items() if getattr(self, holds))


def find_kept(client: Client, stack: str) -> list[KeptData]:
    """Return the sets of data that carry a stack's name, by the name of the set; those that are gone are left out."""
    sets: dict[str, dict[str, str]] = defaultdict(dict)
    for name, tags in _tagged(client, stack):
        holds, name = tags.get(HOLDS_TAG, ""), name.removeprefix("table/")
        if holds in PARTS and _exists(client, holds, name):
            sets[tags.get(SET_TAG, "")][holds] = name
    return [KeptData(name, **parts) for name, parts in sorted(sets.items())]


def find_all(client: Client, stack: str) -> dict[str, list[str]]:
    """Return the names of the `buckets` and `tables` that carry a stack's name, those that were replaced included."""
    found: dict[str, list[str]] = {"buckets": [], "tables": []}
    for name, tags in _tagged(client, stack):
        kind = "tables" if name.startswith("table/") else "buckets"
        name = name.removeprefix("table/")
        if _exists(client, "registry" if kind == "tables" else tags.get(HOLDS_TAG, ""), name):
            found[kind].append(name)
    return found


def choose(kept: list[KeptData], registry: str, stack: str) -> KeptData | None:
    """Return the data that a new stack is to use; None for new ones.

    Parameters
    ----------
    registry : the name of the table of one set, `new`, or empty if there is nothing to choose

    Raises
    ------
    DataUnclear : several sets, or an incomplete one, and nothing was chosen; or there is no such table
    """
    if registry == NEW or (not kept and not registry):
        return None
    chosen = [found for found in kept if registry in ("", found.registry)]
    choices = " or ".join(f"KEPT={name}" for name in [*(found.registry for found in kept if found.registry), NEW])
    if not chosen:
        raise DataUnclear(f"no kept data of {stack} have the registry {registry}", "KEPT", f"say {choices}")
    if len(chosen) > 1:
        listed = "; ".join(map(str, chosen))
        raise DataUnclear(f"{len(chosen)} sets of data outlived stacks of this name", listed, f"say which: {choices}")
    (one,) = chosen
    if one.missing:
        raise DataUnclear(
            f"data of an earlier stack are here, but without their {' and '.join(one.missing)}", str(one),
            "restore it and name all three by the parameters Existing... (docs/deploy.md), or begin anew: KEPT=new",
        )  # fmt: skip
    return one


def stream_of(client: Client, table: str) -> str:
    """Return the ARN of the stream of a table's new images; a table without a stream gets one.

    Raises
    ------
    BadSetting : there is no such table, or its stream shows something else
    """
    dynamodb = client("dynamodb")
    try:
        description = dynamodb.describe_table(TableName=table)["Table"]
    except dynamodb.exceptions.ResourceNotFoundException:
        raise BadSetting(f"there is no table {table}", "ExistingRegistry", "`aws dynamodb list-tables`") from None
    stream = description.get("StreamSpecification", {})
    if not stream.get("StreamEnabled"):
        dynamodb.update_table(
            TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
        )
        _wait_for_table(client, table)
        description = dynamodb.describe_table(TableName=table)["Table"]
    elif stream["StreamViewType"] not in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        raise BadSetting(
            f"the stream of {table} shows {stream['StreamViewType']}, and the relay of events needs NEW_IMAGE",
            "ExistingRegistry", "disable the table's stream; then deploy again, which makes the right one",
        )  # fmt: skip
    return str(description["LatestStreamArn"])


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

    if not any(parameters.get(parameter) for parameter in LOGICAL_IDS):
        return
    body = read_template(template)
    identity = client("sts").get_caller_identity()
    region = client("s3").meta.region_name
    stack = DeployedStack(body, dict(parameters), {}, region, identity["Account"])
    for parameter, logical_id in LOGICAL_IDS.items():
        name = parameters.get(parameter, "")
        if not name:
            continue
        resource = body["Resources"][logical_id]
        for setting in SETTINGS:
            if setting.resource_type != resource["Type"] or setting.name not in resource["Properties"]:
                continue
            try:
                wanted = setting.to_api(stack.value(resource["Properties"][setting.name]))
            except Unresolvable as error:
                say(f"not set: {setting.name} of {name}: {error}")
                continue
            if covers(setting.read(client, name), wanted):
                continue
            try:
                _write(client, setting, name, wanted)
            except (ClientError, ParamValidationError) as error:
                raise DeploymentFailed(
                    f"AWS does not accept {setting.name}: {error}", name, "correct it, then deploy again"
                ) from None
            say(f"set {setting.name} of {name} as the template says")
        holds = next(holds for holds, named in PARAMETERS.items() if named == parameter)
        scope = f"dynamodb:{region}:{identity['Account']}:table/" if holds == "registry" else "s3:::"
        _tag(client, holds, f"arn:{identity['Arn'].split(':')[1]}:{scope}{name}", parameters)


def _write(client: Client, setting: Property, name: str, wanted: Any) -> None:
    if setting.name == "NotificationConfiguration":
        # the call replaces all, and the bucket may tell others too
        before = client("s3").get_bucket_notification_configuration(Bucket=name)
        wanted = {key: value for key, value in before.items() if key != "ResponseMetadata"} | wanted
    setting.write(client, name, wanted)
    if setting.service == "dynamodb":
        _wait_for_table(client, name)


def _wait_for_table(client: Client, table: str) -> None:
    """Wait until a table can be changed again; DynamoDB takes one change at a time."""
    client("dynamodb").get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 3, "MaxAttempts": 200})


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


def _tagged(client: Client, stack: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield name and tags of each bucket and `table/NAME`; tags outlive for a while what they were on."""
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(
        TagFilters=[{"Key": STACK_TAG, "Values": [stack]}], ResourceTypeFilters=["s3", "dynamodb:table"]
    )  # fmt: skip
    for page in pages:
        for found in page["ResourceTagMappingList"]:
            yield found["ResourceARN"].rsplit(":", 1)[-1], {tag["Key"]: tag["Value"] for tag in found["Tags"]}


def _exists(client: Client, holds: str, name: str) -> bool:
    from botocore.exceptions import ClientError

    try:
        if holds == "registry":
            client("dynamodb").describe_table(TableName=name)
        else:
            client("s3").head_bucket(Bucket=name)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchBucket", "ResourceNotFoundException"):
            return False
        raise
    return True
