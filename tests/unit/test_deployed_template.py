"""What the template makes of data that exist, and of functions that have not changed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from infra.deployment.existing_data import HOLDS_TAG, KEY, SET_TAG, STACK_TAG
from infra.local.deployment.intrinsics import DeployedStack, Unresolvable
from infra.local.deployment.translate import _translate_by_sam, read_template

ROOT = Path(__file__).parents[2]
DECLARED = read_template(ROOT / "template.yaml")["Parameters"]


EXISTING = {
    "ExistingDataBucket": "old-data", "ExistingArtifactBucket": "old-artifacts", "ExistingRegistry": "old-table",
    "ExistingRegistryStream": "arn:aws:dynamodb:eu-central-1:1:table/old-table/stream/a",
}  # fmt: skip
EXPECTED = {
    "DataBucket": "old-data", "DataBucketArn": "arn:aws:s3:::old-data",
    "ArtifactBucket": "old-artifacts", "ArtifactBucketArn": "arn:aws:s3:::old-artifacts",
    "Registry": "old-table", "RegistryArn": "arn:aws:dynamodb:eu-central-1:1:table/old-table",
    "RegistryStreamArn": EXISTING["ExistingRegistryStream"],
}  # fmt: skip


def test_existing_data_take_the_place_of_each_bucket_and_table_that_the_template_would_make() -> None:
    storage = read_template(ROOT / "infra" / "storage.yaml")
    given = {"Place": "aws", "Environment": "dev", "Stack": "modelcycle-dev", "PermissionsBoundary": "", **EXISTING}
    deployed = DeployedStack(storage, given, {}, "eu-central-1", "1")
    for name in ("Data", "Artifacts", "Registry"):
        assert not deployed.is_true(storage["Resources"][name]["Condition"])
        assert storage["Resources"][name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert {name: deployed.value(storage["Outputs"][name]["Value"]) for name in EXPECTED} == EXPECTED
    policy = deployed.value(storage["Resources"]["DataPolicy"]["Properties"])
    assert policy["Bucket"] == "old-data"
    assert policy["PolicyDocument"]["Statement"][0]["Resource"] == ["arn:aws:s3:::old-data", "arn:aws:s3:::old-data/*"]
    stream = storage["Resources"]["CapturesByModel"]["Properties"]["ExtendedS3DestinationConfiguration"]
    assert deployed.value(stream["BucketARN"]) == "arn:aws:s3:::old-data"


def test_what_the_template_keeps_says_whose_it_is() -> None:
    storage = read_template(ROOT / "infra" / "storage.yaml")
    kept = {"Data": "data", "Artifacts": "artifacts", "Registry": "registry", "Key": KEY}
    for name, holds in kept.items():
        tags = {tag["Key"]: tag["Value"] for tag in storage["Resources"][name]["Properties"]["Tags"]}
        assert tags == {STACK_TAG: {"Ref": "Stack"}, SET_TAG: {"Ref": "AWS::StackName"}, HOLDS_TAG: holds}


def by_sam(build_sha: str) -> dict[str, Any]:
    """Return the resources that SAM makes of the template; its code lies where `sam deploy` has put it."""
    template = read_template(ROOT / "template.yaml")
    for resource in template["Resources"].values():
        for name in {"CodeUri", "ContentUri", "DefinitionUri"} & resource.get("Properties", {}).keys():
            resource["Properties"][name] = "s3://bucket/key"
    given = {name: str(body.get("Default", "")) for name, body in DECLARED.items()} | {
        "Environment": "dev", "BuildSha": build_sha, "CodeVersion": "same-code",
    }  # fmt: skip
    translated = _translate_by_sam(template, given, ROOT / "template.yaml")
    deployed = DeployedStack(translated, given, {}, "eu-central-1", "1")
    for resource in translated["Resources"].values():
        variables = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
        for name, value in variables.items():
            with suppress(Unresolvable):  # what only the deployment knows
                variables[name] = deployed.value(value)
    return dict(translated["Resources"])


def test_whenever_a_new_version_is_made_its_function_has_another_configuration() -> None:
    """Lambda refuses a version that equals the one before: "A version for this Lambda function exists".

    SAM puts BuildSha into the description too (pull request 3337 of its repository), without a promise.
    """
    one, two = by_sam("a" * 64), by_sam("b" * 64)

    def versions(resources: dict[str, Any]) -> dict[str, set[str]]:
        made: dict[str, set[str]] = {}
        for name, body in resources.items():
            if body["Type"] == "AWS::Lambda::Version":
                made.setdefault(body["Properties"]["FunctionName"]["Ref"], set()).add(name)
        return made

    before, after = versions(one), versions(two)
    functions = {name for name, body in one.items() if body["Type"] == "AWS::Lambda::Function"}
    assert before.keys() == functions and len(functions) > 20
    for name in functions:
        assert before[name] != after[name]
        was, becomes = ({**made[name]["Properties"], "Description": ""} for made in (one, two))
        assert was != becomes, f"{name} has new versions of nothing new"
