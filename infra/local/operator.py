"""The IAM user that the command line acts as in the local cloud.

Root skips every check, also that of presigned URLs; a user with just enough permissions finds what would fail on AWS.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from infra.local import root_key
from infra.local.clients import Session

USER = "operator"
_POLICY = "modelcycle-operator"


def ensure(admin: Session, resources: dict[str, dict[str, str]], home: Path) -> Session:
    """Create the user if need be, give it what this stack asks for, and return its session.

    The key is kept in the state folder, readable by the owner alone.
    """
    iam = admin.client("iam")
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=USER)
    account = admin.client("sts").get_caller_identity()["Account"]
    document = {"Version": "2012-10-17", "Statement": permissions(resources, admin.region_name, account)}
    iam.put_user_policy(UserName=USER, PolicyName=_POLICY, PolicyDocument=json.dumps(document))
    known = {key["AccessKeyId"] for key in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]}
    kept = load(admin.endpoint, home)
    if kept is not None and kept.access_key in known:
        return kept
    for key in known:
        iam.delete_access_key(UserName=USER, AccessKeyId=key)
    made = iam.create_access_key(UserName=USER)["AccessKey"]
    key = root_key.Key(made["AccessKeyId"], made["SecretAccessKey"])
    root_key.keep(_file(home), key)
    return Session(admin.endpoint, key.access_key, key.secret_key)


def load(endpoint: str, home: Path) -> Session | None:
    """The user's session from the kept key, or None."""
    key = root_key.read(_file(home))
    return Session(endpoint, key.access_key, key.secret_key) if key else None


def permissions(resources: dict[str, dict[str, str]], region: str, account: str) -> list[dict[str, Any]]:
    """What a person at the command line may do with the resources of a stack, by `logical id: {type, id}`."""
    scope = f"{region}:{account}"
    by_type: dict[str, list[str]] = {}
    for resource in resources.values():
        by_type.setdefault(resource["type"], []).append(resource["id"])
    buckets = by_type.get("AWS::S3::Bucket", [])
    tables = [f"arn:aws:dynamodb:{scope}:table/{name}" for name in by_type.get("AWS::DynamoDB::Table", [])]
    machines = by_type.get("AWS::StepFunctions::StateMachine", [])
    runs = [f"{arn.replace(':stateMachine:', ':execution:')}:*" for arn in machines]
    functions = [f"arn:aws:lambda:{scope}:function:{name}" for name in by_type.get("AWS::Lambda::Function", [])]
    apis = [f"arn:aws:execute-api:{scope}:{api}/*" for api in by_type.get("AWS::ApiGateway::RestApi", [])]
    buses = [f"arn:aws:events:{scope}:event-bus/{name}" for name in by_type.get("AWS::Events::EventBus", [])]
    queues = [f"arn:aws:sqs:{scope}:{url.rsplit('/', 1)[-1]}" for url in by_type.get("AWS::SQS::Queue", [])]
    groups = [f"arn:aws:logs:{scope}:log-group:{name}*" for name in by_type.get("AWS::Logs::LogGroup", [])]
    wanted: list[tuple[str, list[str]]] = [
        ("s3:ListBucket s3:ListBucketVersions s3:GetBucketVersioning", [f"arn:aws:s3:::{name}" for name in buckets]),
        ("s3:GetObject s3:GetObjectVersion s3:PutObject", [f"arn:aws:s3:::{name}/*" for name in buckets]),
        ("s3:DeleteObject", [f"arn:aws:s3:::{name}/raw/*" for name in buckets]),
        ("dynamodb:GetItem dynamodb:Query dynamodb:BatchGetItem", tables + [f"{arn}/index/*" for arn in tables]),
        ("states:StartExecution states:ListExecutions states:DescribeStateMachine", machines),
        ("states:DescribeExecution states:GetExecutionHistory states:StopExecution", runs),
        ("lambda:InvokeFunction lambda:GetFunction", functions + [f"{arn}:*" for arn in functions]),
        ("execute-api:Invoke", apis),
        ("events:PutEvents", buses),
        ("sqs:GetQueueAttributes", queues),
        ("logs:FilterLogEvents logs:GetLogEvents logs:DescribeLogStreams", groups),
    ]
    return [
        {"Effect": "Allow", "Action": actions.split(), "Resource": targets} for actions, targets in wanted if targets
    ]


def _file(home: Path) -> Path:
    return home / "operator.json"
