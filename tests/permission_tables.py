"""Who may do what: the tables of docs/security.md, the policies of infra/identity.yaml, and all that there is to reach.

The document is the only list. `tests/unit/test_permissions.py` holds the policies against it, and
`tests/e2e/test_roles.py` the running local cloud.
"""

from __future__ import annotations

import fnmatch
import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from infra.local.deployment.intrinsics import DeployedStack
from infra.local.deployment.translate import read_template
from tests.unit.test_registry_keys import records

ROOT = Path(__file__).resolve().parents[1]
IDENTITY = read_template(ROOT / "infra" / "identity.yaml")
PARAMETERS = {
    "Stack": "mc", "ArtifactBucketArn": "arn:aws:s3:::artifacts", "DataBucketArn": "arn:aws:s3:::data",
    "SealBucketArn": "arn:aws:s3:::seals",
    "RegistryArn": "arn:aws:dynamodb:us-east-1:1:table/registry", "EventBusArn": "arn:aws:events:us-east-1:1:bus/mc",
    "CaptureStreamArn": "arn:aws:firehose:us-east-1:1:deliverystream/c",
    "UndeliveredArn": "arn:aws:sqs:us-east-1:1:undelivered", "Stream": "none", "StreamArn": "", "QueueArn": "",
    "PseudonymKeyArn": "arn:aws:kms:us-east-1:1:key/pseudonyms",
    "SigningKeyArn": "arn:aws:kms:us-east-1:1:key/signing",
    "SourceBuckets": "", "LargeTraining": "fargate", "LogDays": "30", "PermissionsBoundary": "",
}  # fmt: skip
DATA_AREAS = (
    "raw", "landed", "pipelines", "shared", "captures", "captures-failed", "compacted", "feedback", "score", "scored",
    "requests",
)  # fmt: skip
# a model may be named as a part of keys is
MODELS = ("plums", "holdout", "runs", "features", "labels", "claim", "monitoring", "staging", "scoring", "a", "a-b")


class Allowed(NamedTuple):
    """What the document allows a function: for each column of a table, the names in its cell."""

    reads: tuple[str, ...]
    lists: tuple[str, ...]
    writes: tuple[str, ...]


NOTHING = Allowed((), (), ())


class Item(NamedTuple):
    """An object or record: its name in the document, and its address in the cloud."""

    name: str
    address: str


@cache
def documented(heading: str) -> dict[str, Allowed]:
    """Return the rows of the table below a heading of docs/security.md, by function."""
    text = (ROOT / "docs" / "security.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return {name: Allowed(*(tuple(re.findall(r"`([^`]+)`", cell)) for cell in cells)) for name, *cells in rows[2:]}


def roles() -> dict[str, str]:
    """Return the function of each role in infra/identity.yaml, with the name of its step."""
    names = [name.removesuffix("Role") for name, made in IDENTITY["Resources"].items() if made["Type"].endswith("Role")]
    log = {name: IDENTITY["Resources"][f"{name}Log"]["Properties"]["LogGroupName"] for name in names}
    return {name: group["Fn::Sub"].rpartition("/")[2] for name, group in log.items()}


@cache
def statements(function: str) -> list[dict[str, Any]]:
    """Return the statements of a function's role, with the intrinsic functions evaluated."""
    resources = {name: {"type": made["Type"], "id": name} for name, made in IDENTITY["Resources"].items()}
    stack = DeployedStack(IDENTITY, PARAMETERS, resources, "us-east-1", "1")
    policies = stack.value(IDENTITY["Resources"][f"{function}Role"]["Properties"]["Policies"])
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def partition_keys(model: str) -> list[str]:
    """Return a partition key of each kind of record, and of the results of each step."""
    kinds = {key.pk.partition("#")[0] for key in records().values()}
    results = [f"RESULT#{step}#{model}" for step in [*roles().values(), "another_step"]]
    return [kind if kind == "MODELS" else f"{kind}#{model}" for kind in sorted(kinds - {"RESULT"})] + results


def may_reach(names: tuple[str, ...], key: str, step: str) -> bool:
    """Return whether the names of a cell allow a partition key to the function of a step."""
    kind, _, rest = key.partition("#")
    return f"{kind}#*" in names or (kind in names and (kind != "RESULT" or rest.partition("#")[0] == step))


def objects(model: str) -> list[Item]:
    """Return an object of each area that the document names, and of each area's kinds of files."""
    named = {name for cells in documented("Objects").values() for column in cells for name in column}
    names = {area if area in (*DATA_AREAS, "seals") or "/" in area else f"{area}/x.npz" for area in named}
    names |= {"preprocess/train.npz", "preprocess/table.json", "preprocess/contract.json", "another_step/x.npz"}
    return [Item(name, _address(name, model)) for name in sorted(names) if "*" not in name]


def strays(model: str) -> list[str]:
    """Return the ARNs of objects outside every area of the document."""
    steps = [*roles().values(), "train"]
    keys = [f"{folder}/x.npz" for step in steps for folder in (step, f"{model}/{step}") if step != "monitoring"]
    stray = [f"artifacts/{key}" for key in [*keys, "x.npz", f"{model}/x.npz", "holdout/x.npz", "holdout/plums/x.npz"]]
    stray += [f"data/{key}" for key in ("x.csv", f"other/{model}/x.csv", f"{model}/runs/r/claim/x")]
    return [f"arn:aws:s3:::{key}" for key in stray]


def may_touch(names: tuple[str, ...], name: str) -> bool:
    """Return whether the names of a cell allow an object; `preprocess` allows all below it."""
    return any(name == allowed or fnmatch.fnmatch(name, allowed) or name.startswith(f"{allowed}/") for allowed in names)


def _address(name: str, model: str) -> str:
    """Return the ARN of an object of a model."""
    if name in DATA_AREAS:
        key = {
            "pipelines": f"pipelines/{model}.yaml", "captures": f"captures/model={model}/2026/01/01/00/x.gz",
            "compacted": f"compacted/model={model}/2026/01/01/00/x.parquet",
            "shared": "shared/x.csv",
        }.get(name, f"{name}/{model}/x.csv")  # fmt: skip
        return f"arn:aws:s3:::data/{key}"
    if name == "seals":
        return "arn:aws:s3:::seals/seals/2026/01/01.json"
    if name.startswith("holdout/"):
        return f"arn:aws:s3:::artifacts/{name}/{model}/20260101T000000000-abcd.npz"
    area, _, file = name.partition("/")
    if area in ("monitoring", "staging", "erasures"):
        return f"arn:aws:s3:::artifacts/{model}/{area}/00000001/{file}"
    if area == "_erasing":
        return f"arn:aws:s3:::artifacts/_erasing/model={model}/20260101t000000-abcdef/{file}"
    if area == "_monitoring":
        return f"arn:aws:s3:::artifacts/_monitoring/model={model}/00000001/day/{file}"
    if area == "_scoring":
        return f"arn:aws:s3:::artifacts/_scoring/model={model}/451d663af73be860/{file}"
    return f"arn:aws:s3:::artifacts/{model}/runs/20260101T000000000-abcd/{name}"
