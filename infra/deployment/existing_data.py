"""Finds the buckets and the registry that outlived a stack, for the next one.

They are found by the tags that the template gives them: whose they are (`modelcycle:stack`), which belong together
(`modelcycle:set`), and what they hold (`modelcycle:holds`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from infra.deployment.faults import BadSetting, DataUnclear

STACK_TAG, SET_TAG, HOLDS_TAG = "modelcycle:stack", "modelcycle:set", "modelcycle:holds"
REGISTRY_TAG = "modelcycle:registry"  # whose records it vouches for
SEALS, SEALS_PARAMETER = "seals", "ExistingSealBucket"
KEY = "key"  # what a key that encrypts the data of a stack holds
KEYS = (KEY, "signing-key", "pseudonym-key")  # the same of each key that a stack makes
REPLACED = "replaced"  # what a restored table holds the place of; nothing uses it, and nothing finds it but `destroy`
NEW = "new"  # instead of the name of a table: use nothing that was kept
Client = Callable[[str], Any]

PARAMETERS = {"data": "ExistingDataBucket", "artifacts": "ExistingArtifactBucket", "registry": "ExistingRegistry"}
STREAM_PARAMETER = "ExistingRegistryStream"
PARTS = {"data": "data bucket", "artifacts": "artifact bucket", "registry": "registry"}


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
    for name, tags in tagged(client, stack):
        holds, name = tags.get(HOLDS_TAG, ""), name.removeprefix("table/")
        if holds in PARTS and _exists(client, holds, name):
            sets[tags.get(SET_TAG, "")][holds] = name
    return [KeptData(name, **parts) for name, parts in sorted(sets.items())]


def find_all(client: Client, stack: str) -> dict[str, list[str]]:
    """Return the names of the `buckets` and `tables` that carry a stack's name, those that were replaced included."""
    found: dict[str, list[str]] = {"buckets": [], "tables": []}
    for name, tags in tagged(client, stack):
        kind = "tables" if name.startswith("table/") else "buckets"
        name = name.removeprefix("table/")
        if _exists(client, "registry" if kind == "tables" else tags.get(HOLDS_TAG, ""), name):
            found[kind].append(name)
    return found


def find_keys(client: Client, stack: str) -> dict[str, str]:
    """Return the ARNs of the keys that stacks of a name have made, by their ids; not those that end."""
    kms, found = client("kms"), {}
    for name, tags in tagged(client, stack, "kms:key"):
        if tags.get(HOLDS_TAG) not in KEYS:
            continue
        try:
            metadata = kms.describe_key(KeyId=name.removeprefix("key/"))["KeyMetadata"]
        except kms.exceptions.NotFoundException:
            continue
        if metadata["KeyState"] != "PendingDeletion":
            found[metadata["KeyId"]] = metadata["Arn"]
    return found


def find_seals(client: Client, stack: str, registry: str) -> str:
    """Return the bucket of the seals of a kept registry's audit trails; empty if there is none.

    Parameters
    ----------
    registry : the table's name
    """
    for name, tags in tagged(client, stack):
        is_its = tags.get(HOLDS_TAG) == SEALS and tags.get(REGISTRY_TAG) == registry
        if is_its and _exists(client, SEALS, name):
            return name
    return ""


def key_of(client: Client, bucket: str) -> str:
    """Return the key that encrypts new objects of a bucket: an id or ARN; empty if it is none of KMS."""
    from botocore.exceptions import ClientError

    try:
        rules = client("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ServerSideEncryptionConfigurationNotFoundError":
            raise
        return ""
    defaults = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules]
    return next((found["KMSMasterKeyID"] for found in defaults if found.get("KMSMasterKeyID")), "")


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
        wait_for_table(client, table)
        description = dynamodb.describe_table(TableName=table)["Table"]
    elif stream["StreamViewType"] not in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        raise BadSetting(
            f"the stream of {table} shows {stream['StreamViewType']}, and the relay of events needs NEW_IMAGE",
            "ExistingRegistry", "disable the table's stream; then deploy again, which makes the right one",
        )  # fmt: skip
    return str(description["LatestStreamArn"])


def wait_for_table(client: Client, table: str) -> None:
    """Wait until a table can be changed again; DynamoDB takes one change at a time."""
    client("dynamodb").get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 3, "MaxAttempts": 200})


def tagged(client: Client, stack: str, *types: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield name and tags of each bucket and `table/NAME`, or of `types`; tags outlive for a while what had them."""
    pages = client("resourcegroupstaggingapi").get_paginator("get_resources").paginate(
        TagFilters=[{"Key": STACK_TAG, "Values": [stack]}], ResourceTypeFilters=types or ["s3", "dynamodb:table"]
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
