"""Which properties are held against the template after a deploy: how the API says each, and how it is set.

Most of them MiniStack's CloudFormation drops without a word; the rest it takes today, and is watched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Clients = Callable[[str], Any]


def _as_is(wanted: Any) -> Any:
    return wanted


@dataclass(frozen=True)
class Setting:
    """One property of one type of resource.

    Parameters
    ----------
    kind, name: the type of the resource and the property in the template.
    read: (clients, physical id) to the value as the API gives it, None where there is none.
    write: (clients, physical id, value) sets it.
    to_api: the template's form of the value to the API's.
    """

    kind: str
    name: str
    read: Callable[[Clients, str], Any]
    write: Callable[[Clients, str, Any], Any]
    to_api: Callable[[Any], Any] = _as_is


def _or_none(call: Callable[[], Any]) -> Any:
    from botocore.exceptions import ClientError

    try:
        return call()
    except ClientError:
        return None


# Tables


def _ttl(clients: Clients, table: str) -> Any:
    found = clients("dynamodb").describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    return {
        "Enabled": found["TimeToLiveStatus"] in ("ENABLED", "ENABLING"),
        "AttributeName": found.get("AttributeName"),
    }


def _recovery(clients: Clients, table: str) -> Any:
    found = clients("dynamodb").describe_continuous_backups(TableName=table)["ContinuousBackupsDescription"]
    status = found.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus")
    return {"PointInTimeRecoveryEnabled": status == "ENABLED"}


def _table(clients: Clients, table: str) -> dict[str, Any]:
    described: dict[str, Any] = clients("dynamodb").describe_table(TableName=table)["Table"]
    return described


def _table_encryption(clients: Clients, table: str) -> Any:
    found = _table(clients, table).get("SSEDescription") or {}
    return {
        "Enabled": found.get("Status") == "ENABLED",
        "SSEType": found.get("SSEType"),
        "KMSMasterKeyId": found.get("KMSMasterKeyArn"),
    }


# Buckets


def _encryption_to_api(wanted: Any) -> Any:
    rules = []
    for rule in wanted["ServerSideEncryptionConfiguration"]:
        rule = dict(rule)
        rule["ApplyServerSideEncryptionByDefault"] = rule.pop("ServerSideEncryptionByDefault")
        rules.append(rule)
    return {"Rules": rules}


def _lifecycle_to_api(wanted: Any) -> Any:
    """CloudFormation flattens what the API nests."""
    return {"Rules": [_lifecycle_rule(dict(rule)) for rule in wanted["Rules"]]}


def _lifecycle_rule(rule: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"ID": rule.pop("Id", None), "Status": rule.pop("Status")}
    prefix, tags = rule.pop("Prefix", None), rule.pop("TagFilters", None)
    if tags:
        made["Filter"] = {"And": {"Prefix": prefix or "", "Tags": tags}}
    else:
        made["Filter"] = {"Prefix": prefix or ""}
    expiration: dict[str, Any] = {}
    for name, api in (("ExpirationInDays", "Days"), ("ExpiredObjectDeleteMarker", "ExpiredObjectDeleteMarker")):
        if name in rule:
            expiration[api] = rule.pop(name)
    if expiration:
        made["Expiration"] = expiration
    if "NoncurrentVersionExpirationInDays" in rule:
        made["NoncurrentVersionExpiration"] = {"NoncurrentDays": rule.pop("NoncurrentVersionExpirationInDays")}
    if "Transitions" in rule:
        made["Transitions"] = [
            {"Days": one["TransitionInDays"], "StorageClass": one["StorageClass"]} for one in rule.pop("Transitions")
        ]
    made |= rule  # AbortIncompleteMultipartUpload, NoncurrentVersionExpiration: the same in both
    return {key: value for key, value in made.items() if value is not None}


def _lock_to_api(wanted: Any) -> Any:
    return {"ObjectLockEnabled": wanted["ObjectLockEnabled"], **({"Rule": wanted["Rule"]} if "Rule" in wanted else {})}


def _bucket_tags(clients: Clients, bucket: str) -> Any:
    return _or_none(lambda: clients("s3").get_bucket_tagging(Bucket=bucket)["TagSet"])


# Functions and roles


def _function(name: str) -> Callable[[Clients, str], Any]:
    return lambda clients, function: clients("lambda").get_function_configuration(FunctionName=function).get(name)


def _configure(name: str) -> Callable[[Clients, str, Any], Any]:
    return lambda clients, function, value: clients("lambda").update_function_configuration(
        FunctionName=function, **{name: value}
    )


def _boundary(clients: Clients, role: str) -> Any:
    found = clients("iam").get_role(RoleName=role)["Role"].get("PermissionsBoundary")
    return found and found["PermissionsBoundaryArn"]


# Schedules, flows, queues, logs


def _schedule(clients: Clients, name: str) -> dict[str, Any]:
    group, _, short = name.rpartition("/")
    found: dict[str, Any] = clients("scheduler").get_schedule(Name=short, **({"GroupName": group} if group else {}))
    return found


def _set_time_zone(clients: Clients, name: str, zone: Any) -> Any:
    known = ("Name", "GroupName", "ScheduleExpression", "FlexibleTimeWindow", "Target", "State", "Description")
    kept = {key: value for key, value in _schedule(clients, name).items() if key in known}
    return clients("scheduler").update_schedule(**kept, ScheduleExpressionTimezone=zone)


def _machine(name: str) -> Callable[[Clients, str], Any]:
    return lambda clients, arn: clients("stepfunctions").describe_state_machine(stateMachineArn=arn).get(name)


def _lower_first(node: Any) -> Any:
    """Step Functions' own API writes its keys with a small first letter."""
    if isinstance(node, list):
        return [_lower_first(one) for one in node]
    if isinstance(node, dict):
        return {key[0].lower() + key[1:]: _lower_first(value) for key, value in node.items()}
    return node


def _set_machine(name: str) -> Callable[[Clients, str, Any], Any]:
    return lambda clients, arn, value: clients("stepfunctions").update_state_machine(
        stateMachineArn=arn, **{name: value}
    )


def _retention(clients: Clients, group: str) -> Any:
    groups = clients("logs").describe_log_groups(logGroupNamePrefix=group)["logGroups"]
    return next((one.get("retentionInDays") for one in groups if one["logGroupName"] == group), None)


def _queue(name: str) -> Callable[[Clients, str], Any]:
    return lambda clients, url: (
        clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"].get(name)
    )


def _set_queue(name: str) -> Callable[[Clients, str, Any], Any]:
    return lambda clients, url, value: clients("sqs").set_queue_attributes(
        QueueUrl=url, Attributes={name: str(value).lower() if isinstance(value, bool) else str(value)}
    )


SETTINGS = (
    Setting(
        "AWS::DynamoDB::Table",
        "TimeToLiveSpecification",
        _ttl,
        lambda clients, table, value: clients("dynamodb").update_time_to_live(
            TableName=table, TimeToLiveSpecification=value
        ),
    ),
    Setting(
        "AWS::DynamoDB::Table",
        "PointInTimeRecoverySpecification",
        _recovery,
        lambda clients, table, value: clients("dynamodb").update_continuous_backups(
            TableName=table, PointInTimeRecoverySpecification=value
        ),
    ),
    Setting(
        "AWS::DynamoDB::Table",
        "SSESpecification",
        _table_encryption,
        lambda clients, table, value: clients("dynamodb").update_table(TableName=table, SSESpecification=value),
        lambda wanted: {"Enabled": wanted["SSEEnabled"], **{k: v for k, v in wanted.items() if k != "SSEEnabled"}},
    ),
    Setting(
        "AWS::DynamoDB::Table",
        "DeletionProtectionEnabled",
        lambda clients, table: _table(clients, table).get("DeletionProtectionEnabled"),
        lambda clients, table, value: clients("dynamodb").update_table(
            TableName=table, DeletionProtectionEnabled=value
        ),
    ),
    Setting(
        "AWS::S3::Bucket",
        "BucketEncryption",
        lambda clients, bucket: _or_none(
            lambda: clients("s3").get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
        ),
        lambda clients, bucket, value: clients("s3").put_bucket_encryption(
            Bucket=bucket, ServerSideEncryptionConfiguration=value
        ),
        _encryption_to_api,
    ),
    Setting(
        "AWS::S3::Bucket",
        "LifecycleConfiguration",
        lambda clients, bucket: _or_none(
            lambda: {"Rules": clients("s3").get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]}
        ),
        lambda clients, bucket, value: clients("s3").put_bucket_lifecycle_configuration(
            Bucket=bucket, LifecycleConfiguration=value
        ),
        _lifecycle_to_api,
    ),
    Setting(
        "AWS::S3::Bucket",
        "ObjectLockConfiguration",
        lambda clients, bucket: _or_none(
            lambda: clients("s3").get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
        ),
        lambda clients, bucket, value: clients("s3").put_object_lock_configuration(
            Bucket=bucket, ObjectLockConfiguration=value
        ),
        _lock_to_api,
    ),
    Setting(
        "AWS::S3::Bucket",
        "PublicAccessBlockConfiguration",
        lambda clients, bucket: _or_none(
            lambda: clients("s3").get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        ),
        lambda clients, bucket, value: clients("s3").put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=value
        ),
    ),
    Setting(
        "AWS::S3::Bucket",
        "VersioningConfiguration",
        lambda clients, bucket: {"Status": clients("s3").get_bucket_versioning(Bucket=bucket).get("Status")},
        lambda clients, bucket, value: clients("s3").put_bucket_versioning(
            Bucket=bucket, VersioningConfiguration=value
        ),
    ),
    Setting(
        "AWS::S3::Bucket",
        "Tags",
        _bucket_tags,
        lambda clients, bucket, value: clients("s3").put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": value}),
    ),
    Setting("AWS::Lambda::Function", "DeadLetterConfig", _function("DeadLetterConfig"), _configure("DeadLetterConfig")),
    Setting("AWS::Lambda::Function", "KmsKeyArn", _function("KMSKeyArn"), _configure("KMSKeyArn")),
    Setting("AWS::Lambda::Function", "LoggingConfig", _function("LoggingConfig"), _configure("LoggingConfig")),
    Setting(
        "AWS::Lambda::Function",
        "ReservedConcurrentExecutions",
        lambda clients, function: (
            clients("lambda").get_function_concurrency(FunctionName=function).get("ReservedConcurrentExecutions")
        ),
        lambda clients, function, value: clients("lambda").put_function_concurrency(
            FunctionName=function, ReservedConcurrentExecutions=int(value)
        ),
    ),
    Setting(
        "AWS::IAM::Role",
        "PermissionsBoundary",
        _boundary,
        lambda clients, role, value: clients("iam").put_role_permissions_boundary(
            RoleName=role, PermissionsBoundary=value
        ),
    ),
    Setting(
        "AWS::Scheduler::Schedule",
        "ScheduleExpressionTimezone",
        lambda clients, name: _schedule(clients, name).get("ScheduleExpressionTimezone"),
        _set_time_zone,
    ),
    Setting(
        "AWS::StepFunctions::StateMachine",
        "LoggingConfiguration",
        _machine("loggingConfiguration"),
        _set_machine("loggingConfiguration"),
        _lower_first,
    ),
    Setting(
        "AWS::StepFunctions::StateMachine",
        "TracingConfiguration",
        _machine("tracingConfiguration"),
        _set_machine("tracingConfiguration"),
        _lower_first,
    ),
    Setting(
        "AWS::Logs::LogGroup",
        "RetentionInDays",
        _retention,
        lambda clients, group, value: clients("logs").put_retention_policy(
            logGroupName=group, retentionInDays=int(value)
        ),
    ),
    *(
        Setting("AWS::SQS::Queue", name, _queue(name), _set_queue(name))
        for name in ("MessageRetentionPeriod", "VisibilityTimeout", "SqsManagedSseEnabled", "KmsMasterKeyId")
    ),
)
