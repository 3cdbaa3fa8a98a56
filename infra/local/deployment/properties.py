"""The properties that are checked after a deployment, and the API calls that read and set them.

CloudFormation of MiniStack silently drops most of them; the others are checked so that a new version of it is noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Clients = Callable[[str], Any]
"""Returns a boto3 client by the name of its service."""


@dataclass(frozen=True)
class Read:
    """The API call that returns a property.

    Parameters
    ----------
    method : of the client
    id_argument : that takes the physical id
    path : to the value in the response, with dots; empty for the whole response
    arguments : further ones
    """

    method: str
    id_argument: str
    path: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Write:
    """The API call that sets a property; `argument` takes the value, `arguments` are further ones."""

    method: str
    id_argument: str
    argument: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Property:
    """One property of one resource type.

    Parameters
    ----------
    resource_type, name : as in the template
    service : the client for both calls
    to_api : converts the template's value to the API's
    from_api : converts a response and the physical id to the API's value
    """

    resource_type: str
    name: str
    service: str
    reading: Read
    writing: Write
    to_api: Callable[[Any], Any] = lambda value: value
    from_api: Callable[[Any, str], Any] = lambda value, physical_id: value

    def read(self, clients: Clients, physical_id: str) -> Any:
        """Return the value as the API has it, or None if it has none."""
        from botocore.exceptions import ClientError

        method = getattr(clients(self.service), self.reading.method)
        try:
            value = method(**{self.reading.id_argument: physical_id}, **self.reading.arguments)
        except ClientError:  # S3 reports a missing configuration as an error
            return None
        for name in filter(None, self.reading.path.split(".")):
            value = (value or {}).get(name)
        return self.from_api(value, physical_id)

    def write(self, clients: Clients, physical_id: str, value: Any) -> None:
        """Set the value, in the API's form.

        Raises
        ------
        botocore.exceptions.ClientError, botocore.exceptions.ParamValidationError
        """
        method = getattr(clients(self.service), self.writing.method)
        method(**{self.writing.id_argument: physical_id, self.writing.argument: value}, **self.writing.arguments)


def _ttl(description: dict[str, Any], _: str) -> dict[str, Any]:
    enabled = description["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
    return {"Enabled": enabled, "AttributeName": description.get("AttributeName")}


def _table_encryption(description: dict[str, Any] | None, _: str) -> dict[str, Any]:
    found = description or {}
    return {
        "Enabled": found.get("Status") == "ENABLED",
        "SSEType": found.get("SSEType"),
        "KMSMasterKeyId": found.get("KMSMasterKeyArn"),
    }


def _table_encryption_to_api(value: dict[str, Any]) -> dict[str, Any]:
    return {("Enabled" if name == "SSEEnabled" else name): setting for name, setting in value.items()}


def _bucket_encryption_to_api(value: dict[str, Any]) -> dict[str, Any]:
    rules = []
    for rule in value["ServerSideEncryptionConfiguration"]:
        others = {name: setting for name, setting in rule.items() if name != "ServerSideEncryptionByDefault"}
        rules.append({"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"], **others})
    return {"Rules": rules}


def _lifecycle_to_api(value: dict[str, Any]) -> dict[str, Any]:
    """Nest what CloudFormation writes flat."""
    rules = []
    for rule in value["Rules"]:
        others = {name: setting for name, setting in rule.items() if name not in ("Id", "Prefix", "ExpirationInDays")}
        new = {"ID": rule["Id"], "Filter": {"Prefix": rule.get("Prefix", "")}, **others}
        if "ExpirationInDays" in rule:
            new["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
        rules.append(new)
    return {"Rules": rules}


def _object_lock_to_api(value: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration with days as a number: a parameter gives them as a text."""
    if "Rule" not in value:
        return value
    retention = value["Rule"]["DefaultRetention"]
    return {**value, "Rule": {"DefaultRetention": {**retention, "Days": int(retention["Days"])}}}


def _lower_first(node: Any) -> Any:
    """Return a structure whose keys begin with a small letter, as the API of Step Functions has them."""
    if isinstance(node, list):
        return [_lower_first(item) for item in node]
    if isinstance(node, dict):
        return {key[0].lower() + key[1:]: _lower_first(value) for key, value in node.items()}
    return node


def _retention_days(groups: list[dict[str, Any]], name: str) -> int | None:
    return next((group.get("retentionInDays") for group in groups if group["logGroupName"] == name), None)


def _log_group_key(groups: list[dict[str, Any]], name: str) -> str | None:
    return next((group.get("kmsKeyId") for group in groups if group["logGroupName"] == name), None)


def _bucket_logging_to_api(value: dict[str, Any]) -> dict[str, Any]:
    target = {"TargetBucket": value["DestinationBucketName"], "TargetPrefix": value.get("LogFilePrefix", "")}
    return {"LoggingEnabled": target}


def _bucket_logging(found: dict[str, Any] | None, _: str) -> dict[str, Any]:
    return {"LoggingEnabled": found or {}}


def _queue_attribute(name: str) -> Property:
    return Property(
        "AWS::SQS::Queue", name, "sqs",
        Read("get_queue_attributes", "QueueUrl", "Attributes", {"AttributeNames": ["All"]}),
        Write("set_queue_attributes", "QueueUrl", "Attributes"),
        to_api=lambda value: {name: str(value).lower() if isinstance(value, bool) else str(value)},
    )  # fmt: skip


def _state_machine_configuration(name: str) -> Property:
    argument = name[0].lower() + name[1:]
    return Property(
        "AWS::StepFunctions::StateMachine", name, "stepfunctions",
        Read("describe_state_machine", "stateMachineArn", argument),
        Write("update_state_machine", "stateMachineArn", argument),
        to_api=_lower_first,
    )  # fmt: skip


PROPERTIES = (
    Property(
        "AWS::DynamoDB::Table", "TimeToLiveSpecification", "dynamodb",
        Read("describe_time_to_live", "TableName", "TimeToLiveDescription"),
        Write("update_time_to_live", "TableName", "TimeToLiveSpecification"),
        from_api=_ttl,
    ),
    Property(
        "AWS::DynamoDB::Table", "PointInTimeRecoverySpecification", "dynamodb",
        Read(
            "describe_continuous_backups", "TableName",
            "ContinuousBackupsDescription.PointInTimeRecoveryDescription.PointInTimeRecoveryStatus",
        ),
        Write("update_continuous_backups", "TableName", "PointInTimeRecoverySpecification"),
        from_api=lambda status, _: {"PointInTimeRecoveryEnabled": status == "ENABLED"},
    ),
    Property(
        "AWS::DynamoDB::Table", "SSESpecification", "dynamodb",
        Read("describe_table", "TableName", "Table.SSEDescription"),
        Write("update_table", "TableName", "SSESpecification"),
        to_api=_table_encryption_to_api, from_api=_table_encryption,
    ),
    Property(
        "AWS::DynamoDB::Table", "DeletionProtectionEnabled", "dynamodb",
        Read("describe_table", "TableName", "Table.DeletionProtectionEnabled"),
        Write("update_table", "TableName", "DeletionProtectionEnabled"),
    ),
    Property(
        "AWS::S3::Bucket", "BucketEncryption", "s3",
        Read("get_bucket_encryption", "Bucket", "ServerSideEncryptionConfiguration"),
        Write("put_bucket_encryption", "Bucket", "ServerSideEncryptionConfiguration"),
        to_api=_bucket_encryption_to_api,
    ),
    Property(
        "AWS::S3::Bucket", "LifecycleConfiguration", "s3",
        Read("get_bucket_lifecycle_configuration", "Bucket"),
        Write("put_bucket_lifecycle_configuration", "Bucket", "LifecycleConfiguration"),
        to_api=_lifecycle_to_api,
    ),
    Property(
        "AWS::S3::Bucket", "PublicAccessBlockConfiguration", "s3",
        Read("get_public_access_block", "Bucket", "PublicAccessBlockConfiguration"),
        Write("put_public_access_block", "Bucket", "PublicAccessBlockConfiguration"),
    ),
    Property(
        "AWS::S3::Bucket", "VersioningConfiguration", "s3",
        Read("get_bucket_versioning", "Bucket"),
        Write("put_bucket_versioning", "Bucket", "VersioningConfiguration"),
    ),
    Property(
        "AWS::S3::Bucket", "ObjectLockConfiguration", "s3",
        Read("get_object_lock_configuration", "Bucket", "ObjectLockConfiguration"),
        Write("put_object_lock_configuration", "Bucket", "ObjectLockConfiguration"),
        to_api=_object_lock_to_api,
    ),
    Property(
        "AWS::S3::Bucket", "Tags", "s3",
        Read("get_bucket_tagging", "Bucket"),
        Write("put_bucket_tagging", "Bucket", "Tagging"),
        to_api=lambda tags: {"TagSet": tags},
    ),
    Property(
        "AWS::Lambda::Function", "LoggingConfig", "lambda",
        Read("get_function_configuration", "FunctionName", "LoggingConfig"),
        Write("update_function_configuration", "FunctionName", "LoggingConfig"),
    ),
    Property(
        "AWS::IAM::Role", "PermissionsBoundary", "iam",
        Read("get_role", "RoleName", "Role.PermissionsBoundary.PermissionsBoundaryArn"),
        Write("put_role_permissions_boundary", "RoleName", "PermissionsBoundary"),
    ),
    Property(
        "AWS::Logs::LogGroup", "RetentionInDays", "logs",
        Read("describe_log_groups", "logGroupNamePrefix", "logGroups"),
        Write("put_retention_policy", "logGroupName", "retentionInDays"),
        to_api=int, from_api=_retention_days,
    ),
    _state_machine_configuration("LoggingConfiguration"),
    _state_machine_configuration("TracingConfiguration"),
    _queue_attribute("MessageRetentionPeriod"),
    _queue_attribute("SqsManagedSseEnabled"),
    _queue_attribute("KmsMasterKeyId"),
    Property(
        "AWS::SNS::Topic", "KmsMasterKeyId", "sns",
        Read("get_topic_attributes", "TopicArn", "Attributes.KmsMasterKeyId"),
        Write("set_topic_attributes", "TopicArn", "AttributeValue", {"AttributeName": "KmsMasterKeyId"}),
    ),
    Property(
        "AWS::Logs::LogGroup", "KmsKeyId", "logs",
        Read("describe_log_groups", "logGroupNamePrefix", "logGroups"),
        Write("associate_kms_key", "logGroupName", "kmsKeyId"),
        from_api=_log_group_key,
    ),
    Property(
        "AWS::S3::Bucket", "LoggingConfiguration", "s3",
        Read("get_bucket_logging", "Bucket", "LoggingEnabled"),
        Write("put_bucket_logging", "Bucket", "BucketLoggingStatus"),
        to_api=_bucket_logging_to_api, from_api=_bucket_logging,
    ),
)  # fmt: skip

# CloudFormation drops these too. The project's template has none of them, so they are named and not set.
DROPPED_PROPERTIES = frozenset(
    (
        ("AWS::Lambda::Function", "DeadLetterConfig"),
        ("AWS::Lambda::Function", "KmsKeyArn"),
        ("AWS::Lambda::Function", "ReservedConcurrentExecutions"),
        ("AWS::Scheduler::Schedule", "ScheduleExpressionTimezone"),
    )
)
