"""What people may do: the tables of docs/permissions.md, and the policies of people in infra/.

The document is the only list. `tests/unit/test_people.py` holds policies and command line against it, and
`tests/e2e/test_people.py` the running local cloud.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from infra.local.deployment.intrinsics import DeployedStack
from infra.local.deployment.translate import read_template

ROOT = Path(__file__).resolve().parents[1]
POLICIES = {
    "Auditor": ("permissions.yaml", "AuditorPolicy"),
    "Operator": ("permissions.yaml", "OperatorPolicy"),
    "Approver": ("access.yaml", "DecidePolicy"),
    "Eraser": ("permissions.yaml", "ErasePolicy"),
    "Revealer": ("access.yaml", "RevealPolicy"),
    "Caller": ("access.yaml", "PredictPolicy"),
}
# what no policy allows anywhere
FORBIDDEN = {
    "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Scan", "dynamodb:PartiQLSelect",
    "s3:DeleteObjectVersion", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration", "secretsmanager:GetSecretValue",
    "secretsmanager:DeleteSecret", "states:StopExecution", "states:UpdateStateMachine", "lambda:UpdateFunctionCode",
    "kms:Sign", "kms:GenerateMac", "kms:ScheduleKeyDeletion", "kms:PutKeyPolicy",
    "iam:CreateAccessKey", "iam:AttachUserPolicy", "sts:AssumeRole", "sqs:ReceiveMessage", "sqs:SendMessage",
    "kinesis:PutRecord", "cloudformation:UpdateStack", "logs:DeleteLogGroup", "events:PutEvents",
}  # fmt: skip
STEPS = ("claim", "train")
# a model may be named as a part of keys is
MODELS = ("plums", "holdout", "runs", "labels", "monitoring", "staging", "a-b")


class Site(NamedTuple):
    """The parameters of both templates, and what else the resources of the document are made of."""

    parameters: dict[str, str]
    region: str = "us-east-1"
    account: str = "123456789012"

    @property
    def scope(self) -> str:
        return f"{self.region}:{self.account}"


class Verb(NamedTuple):
    name: str
    policies: tuple[str, ...]
    needs: tuple[str, ...]


@cache
def verbs() -> dict[str, Verb]:
    """Return the verbs of the document, those with an option included, by name."""
    found = {}
    for names, policies, needs in _rows("Verbs"):
        for name in re.findall(r"`([^`]+)`", names):
            found[name] = Verb(name, _list(policies), _list(needs))
    return found


@cache
def needs() -> dict[str, list[tuple[str, str]]]:
    """Return the pairs of an action and the name of what it is on, by need."""
    found: dict[str, list[tuple[str, str]]] = {}
    for need, actions, places in _rows("Needs"):
        pairs = [(action, place) for action in _list(actions) for place in _list(places)]
        found.setdefault(need, []).extend(pairs)
    return found


def needs_of(policy: str) -> set[str]:
    """Return what the document says that a policy allows, by need."""
    if policy == "Caller":
        return {"calls"}
    if policy == "Approver":
        return {"decide"}
    if policy == "Revealer":
        return {"reveal"}
    if policy == "Eraser":
        return {"erase", "retrain"}
    found = {need for verb in verbs().values() if policy in verb.policies for need in verb.needs}
    found -= {"decide", "reveal"}
    if policy == "Auditor":
        found -= {"erase", "retrain"}
    return found | needs_of("Auditor") if policy == "Operator" else found


def arns(site: Site) -> dict[str, list[str]]:
    """Return the ARNs for which each name of the document stands: examples, where it names many."""
    given, scope, stack = site.parameters, site.scope, site.parameters["Stack"]
    data, artifacts = given["DataBucketArn"], given["ArtifactBucketArn"]
    retrain, candidate = given["RetrainArn"], given["CandidateArn"]

    def executions(machine: str) -> list[str]:
        return [f"arn:aws:states:{scope}:execution:{stack}-{machine}:plums-7"]

    def api(*paths: str) -> list[str]:
        return [f"arn:aws:execute-api:{scope}:{given['ApiId']}/live/{path}" for path in paths]

    def folder(name: str) -> list[str]:
        return [f"{data}/{name}/{model}/x.csv" for model in MODELS]

    return {
        "the stack": [f"arn:aws:cloudformation:{scope}:stack/{stack}/51af3dc0"],
        "the registry": [given["RegistryArn"]],
        "the data bucket": [data],
        "the artifact bucket": [artifacts],
        "MODEL/runs/": [f"{artifacts}/{model}/runs/2026-ab/{step}/x" for model in MODELS for step in STEPS],
        "MODEL/monitoring/": [f"{artifacts}/{model}/monitoring/00000001/x" for model in MODELS],
        "MODEL/staging/": [f"{artifacts}/{model}/staging/00000001/x" for model in MODELS],
        "pipelines/": [f"{data}/pipelines/{model}.yaml" for model in MODELS],
        **{
            f"{name}/": folder(name)
            for name in ("raw", "landed", "captures", "feedback", "score", "scored", "requests")
        },
        "compacted captures": [
            f"{data}/compacted/model={model}/{file}"
            for model in MODELS for file in ("progress.json", "2026/01/01/00/manifest.json")
        ],
        "MODEL/erasures/": [f"{artifacts}/{model}/erasures/1/tombstones.json" for model in MODELS],
        "holdout/": [
            f"{artifacts}/holdout/{kind}/{model}/a.npz" for kind in ("features", "labels") for model in MODELS
        ],
        "the bucket of seals": [given["SealBucketArn"]],
        "the seals": [f"{given['SealBucketArn']}/seals/2026/01/01.json"],
        "all alarms": [f"arn:aws:cloudwatch:{scope}:alarm:*"],
        "runs of the lifecycle": executions("lifecycle"),
        "runs of rollouts": executions("rollout"),
        "runs of monitoring": executions("monitoring"),
        "runs of scoring": executions("batch-scoring"),
        "the state machine of the lifecycle": [given["LifecycleArn"]],
        "the state machine of monitoring": [given["MonitoringArn"]],
        "the state machine of scoring": [given["BatchScoringArn"]],
        "runs of erasures": executions("erasure"),
        "the state machine of erasures": [given["ErasureArn"]],
        "requests of erasures": [
            f"{artifacts}/_erasing/model={model}/20260101t000000-ab/request.json" for model in MODELS
        ],
        "functions of the stack": [
            f"arn:aws:lambda:{scope}:function:{stack}-Train-1", given["PullArn"], retrain, candidate
        ],
        "the function that pulls rows": [given["PullArn"]],
        "the function that decides about runs": [retrain],
        "the function that answers for any version": [candidate],
        "the log of predictions": [
            f"arn:aws:logs:{scope}:log-group:/modelcycle/{stack}/predict{end}" for end in (":*", "")
        ],
        "the key that signs": [given["SigningKeyArn"]],
        "the queue of undelivered events": [given["UndeliveredArn"]],
        "the queue of records": [given["QueueArn"]],
        "the stream of records": [given["StreamArn"]],
        "schedules of models": [f"arn:aws:scheduler:{scope}:schedule/default/{stack}-plums"],
        "the role of schedules": [given["ScheduleRoleArn"]],
        "secrets of the stack": [f"arn:aws:secretsmanager:{scope}:secret:{stack}/database-AbCdEf"],
        "predictions": api("POST/models/plums/predict", "GET/v2", "GET/v2/models/plums", "POST/v2/models/plums/infer"),
        "outcomes": api("POST/models/plums/feedback"),
        "documents of the API": api("GET/models/plums/openapi.json"),
        "decisions": api("POST/models/plums/decisions"),
        "encrypted values": api("POST/models/plums/reveal"),
    }  # fmt: skip


def strays(site: Site) -> list[str]:
    """Return ARNs that no name of the document stands for: nobody may do anything there."""
    given, scope, stack = site.parameters, site.scope, site.parameters["Stack"]
    handed_over = [f"{area}/model=plums/1/x" for area in ("_scoring", "_monitoring")]
    return [
        *(f"{given['ArtifactBucketArn']}/{key}" for key in [*handed_over, "x", "plums/x", "holdout/x"]),
        *(f"{given['DataBucketArn']}/{key}" for key in ("x.csv", "captures-failed/x", "o/raw/x.csv", "rawer/x")),
        "arn:aws:s3:::another-bucket", "arn:aws:s3:::another-bucket/raw/plums/x.csv",
        f"arn:aws:cloudformation:{scope}:stack/another/1",
        f"{given['RegistryArn']}-2", f"{given['RegistryArn']}/index/x",
        f"arn:aws:states:{scope}:execution:another-lifecycle:plums-7",
        f"arn:aws:states:{scope}:stateMachine:{stack}-rollout",
        f"arn:aws:lambda:{scope}:function:another-Train-1",
        f"arn:aws:logs:{scope}:log-group:/modelcycle/{stack}/api:*",
        f"arn:aws:logs:{scope}:log-group:/modelcycle/another/predict:*",
        f"arn:aws:logs:{scope}:log-group:/modelcycle/{stack}/predict_more:*",
        f"arn:aws:sqs:{scope}:another", f"arn:aws:kinesis:{scope}:stream/another",
        f"arn:aws:scheduler:{scope}:schedule/default/another-plums",
        f"arn:aws:scheduler:{scope}:schedule/group/{stack}-plums",
        f"arn:aws:secretsmanager:{scope}:secret:another/database-AbCdEf",
        f"arn:aws:kms:{scope}:key/another",
        f"arn:aws:iam::{site.account}:role/{stack}-DecideRole",
        f"arn:aws:execute-api:{scope}:{given['ApiId']}/live/GET/models/plums/decisions",
        f"arn:aws:execute-api:{scope}:{given['ApiId']}/live/DELETE/v2/models/plums",
        f"arn:aws:execute-api:{scope}:another/live/POST/models/plums/predict",
    ]  # fmt: skip


def statements(policy: str, site: Site) -> list[dict[str, Any]]:
    """Return the statements of a policy, with the intrinsic functions evaluated."""
    file, name = POLICIES[policy]
    template = read_template(ROOT / "infra" / file)
    stack = DeployedStack(template, site.parameters, {}, site.region, site.account)
    found: list[dict[str, Any]] = stack.value(template["Resources"][name]["Properties"]["PolicyDocument"])["Statement"]
    return found


def _rows(heading: str) -> list[list[str]]:
    text = (ROOT / "docs" / "permissions.md").read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"][2:]


def _list(cell: str) -> tuple[str, ...]:
    return tuple(item.strip().strip("`") for item in cell.split(",") if item.strip())
