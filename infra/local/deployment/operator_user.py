"""The IAM user as which the command line acts in the local cloud.

The emulator checks no permission of root, nor a presigned URL of root. A user who has just the permissions that are
needed meets the errors that AWS would give.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from infra.local.clients import ClientFactory
from infra.local.deployment.stack import Resources
from infra.local.keys import Key, read_key, write_key

USER = "operator"
POLICY = "modelcycle-operator"


def ensure_operator(admin: ClientFactory, stack: str, resources: Resources, home: Path) -> ClientFactory:
    """Create the user if it is missing, update its permissions, and return its clients.

    Parameters
    ----------
    stack : its name
    resources : of the deployed stack
    home : folder of the cloud's state, which stores the user's key
    """
    iam = admin.client("iam")
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_user(UserName=USER)
    account = admin.client("sts").get_caller_identity()["Account"]
    policy = {"Version": "2012-10-17", "Statement": permissions(stack, resources, admin.region_name, account)}
    iam.put_user_policy(UserName=USER, PolicyName=POLICY, PolicyDocument=json.dumps(policy))
    existing = {key["AccessKeyId"] for key in iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]}
    stored = read_key(_key_file(home))
    if stored is not None and stored.access_key in existing:
        return ClientFactory.of(admin.endpoint, stored)
    for access_key in existing:
        iam.delete_access_key(UserName=USER, AccessKeyId=access_key)
    created = iam.create_access_key(UserName=USER)["AccessKey"]
    key = Key(created["AccessKeyId"], created["SecretAccessKey"])
    write_key(_key_file(home), key)
    return ClientFactory.of(admin.endpoint, key)


def load_operator(endpoint: str, home: Path) -> ClientFactory | None:
    """Return the user's clients by its stored key, or None if there is none."""
    key = read_key(_key_file(home))
    return ClientFactory.of(endpoint, key) if key else None


def permissions(stack: str, resources: Resources, region: str, account: str) -> list[dict[str, Any]]:
    """Return the policy statements for what the command line does with the resources of a stack."""
    scope = f"{region}:{account}"
    ids: dict[str, list[str]] = {}
    for resource in resources.values():
        ids.setdefault(resource["type"], []).append(resource["id"])
    buckets = ids.get("AWS::S3::Bucket", [])
    tables = [f"arn:aws:dynamodb:{scope}:table/{name}" for name in ids.get("AWS::DynamoDB::Table", [])]
    machines = ids.get("AWS::StepFunctions::StateMachine", [])
    executions = [f"{arn.replace(':stateMachine:', ':execution:')}:*" for arn in machines]
    functions = [f"arn:aws:lambda:{scope}:function:{name}" for name in ids.get("AWS::Lambda::Function", [])]
    apis = [f"arn:aws:execute-api:{scope}:{api}/*" for api in ids.get("AWS::ApiGateway::RestApi", [])]
    buses = [f"arn:aws:events:{scope}:event-bus/{name}" for name in ids.get("AWS::Events::EventBus", [])]
    queues = [f"arn:aws:sqs:{scope}:{url.rsplit('/', 1)[-1]}" for url in ids.get("AWS::SQS::Queue", [])]
    streams = [f"arn:aws:kinesis:{scope}:stream/{name}" for name in ids.get("AWS::Kinesis::Stream", [])]
    groups = [f"arn:aws:logs:{scope}:log-group:{name}*" for name in ids.get("AWS::Logs::LogGroup", [])]
    alarms = [f"arn:aws:cloudwatch:{scope}:alarm:*"] if "AWS::CloudWatch::Alarm" in ids else []
    keys = [f"arn:aws:kms:{scope}:key/{name}" for name in ids.get("AWS::KMS::Key", [])]
    roles = ids.get("AWS::IAM::Role", [])
    schedule_roles = [f"arn:aws:iam::{account}:role/{name}" for name in roles if "ScheduleRole" in name]
    grants: list[tuple[str, list[str]]] = [
        ("s3:ListBucket s3:ListBucketVersions s3:GetBucketVersioning", [f"arn:aws:s3:::{name}" for name in buckets]),
        ("s3:GetObject s3:GetObjectVersion", [f"arn:aws:s3:::{name}/*" for name in buckets]),
        # who could write seals could hide that the audit trail was cut off
        ("s3:PutObject", [f"arn:aws:s3:::{name}/*" for name in buckets if "seals" not in name.lower()]),
        # so that the bucket proves who has started a run
        (
            "s3:PutObjectTagging",
            [f"arn:aws:s3:::{name}/{area}/*" for name in buckets for area in ("raw", "requests")],
        ),
        ("kms:Verify", [f"arn:aws:kms:{scope}:key/{key}" for key in ids.get("AWS::KMS::Key", [])]),
        ("s3:DeleteObject", [f"arn:aws:s3:::{name}/raw/*" for name in buckets]),
        ("dynamodb:GetItem dynamodb:Query dynamodb:BatchGetItem", tables + [f"{arn}/index/*" for arn in tables]),
        ("kms:GetPublicKey", keys),
        ("states:StartExecution states:ListExecutions states:DescribeStateMachine", machines),
        ("states:DescribeExecution states:GetExecutionHistory states:StopExecution", executions),
        ("lambda:InvokeFunction lambda:GetFunctionConfiguration", functions + [f"{arn}:*" for arn in functions]),
        ("execute-api:Invoke", apis),
        ("events:PutEvents", buses),
        ("sqs:GetQueueAttributes", queues),
        # senders of records; the emulator asks for SendMessageBatch, which AWS does not have
        ("sqs:SendMessage sqs:SendMessageBatch", [arn for arn in queues if "-Messages-" in arn]),
        ("kinesis:PutRecord kinesis:PutRecords kinesis:DescribeStreamSummary", streams),
        ("kinesis:ListShards kinesis:GetShardIterator kinesis:GetRecords", streams),
        # made for models, after the stack
        (
            "secretsmanager:CreateSecret secretsmanager:PutSecretValue secretsmanager:DescribeSecret",
            [f"arn:aws:secretsmanager:{scope}:secret:{stack}/*"],
        ),
        (
            "scheduler:GetSchedule scheduler:CreateSchedule scheduler:UpdateSchedule scheduler:DeleteSchedule",
            [f"arn:aws:scheduler:{scope}:schedule/default/{stack}-*"],
        ),
        ("iam:PassRole", schedule_roles),
        ("cloudwatch:DescribeAlarms", alarms),
        ("logs:FilterLogEvents logs:GetLogEvents logs:DescribeLogStreams", groups),
    ]
    return [
        {"Effect": "Allow", "Action": actions.split(), "Resource": targets} for actions, targets in grants if targets
    ]


def _key_file(home: Path) -> Path:
    return home / "operator.json"
