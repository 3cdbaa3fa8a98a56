"""What CloudFormation has to be allowed for each type of resource of the templates, in a stack modelcycle-dev."""

from __future__ import annotations

from typing import NamedTuple

IN = ":eu-central-1:123456789012:"
KEY_OF_ANOTHER = f"arn:aws:kms{IN}key/k"
GATEWAY = "arn:aws:apigateway:eu-central-1::"
ACL = f"arn:aws:wafv2{IN}regional/webacl/modelcycle-dev-requests/1-2"
STAGE = f"{GATEWAY}/restapis/1/stages/live"


class Needs(NamedTuple):
    """What CloudFormation does to a resource: a name or ARN as it would have it, what makes it, and what reads it.

    The actions are those of the handlers in the types' schemas, which the registry of CloudFormation shows.
    """

    arn: str
    makes: str
    reads: str


def named(service: str, kind: str = "") -> str:
    return f"arn:aws:{service}{IN}{kind}modelcycle-dev-X-1"


NO_RESOURCE = "*"
FUNCTION, ROLE = named("lambda", "function:"), "arn:aws:iam::123456789012:role/modelcycle-dev-X-1"
MACHINE, BUCKET = named("states", "stateMachine:"), "arn:aws:s3:::modelcycle-dev-storage-1-data-2"
MAPPING, SUBSCRIPTION = f"arn:aws:lambda{IN}event-source-mapping:1-2", NO_RESOURCE
GROUPS, ALARMS = f"arn:aws:logs{IN}log-group:*", f"arn:aws:cloudwatch{IN}alarm:*"
FLOW, KEY = f"arn:aws:ec2{IN}vpc-flow-log/fl-1", f"arn:aws:kms{IN}key/1-2"
WRITES_API, READS_API = "apigateway:POST apigateway:PATCH apigateway:DELETE", "apigateway:GET"
HTTP_API = Needs(f"{GATEWAY}/apis/1/routes/2", WRITES_API, READS_API)
LOG_DELIVERY = "logs:CreateLogDelivery logs:GetLogDelivery logs:UpdateLogDelivery logs:DeleteLogDelivery"
WRITES_ROLE = "iam:PutRolePolicy iam:DeleteRolePolicy"

# A type of SAM has what it becomes. One type may need several resources.
RIGHTS: dict[str, list[Needs]] = {
    "AWS::ApiGateway::Account": [
        Needs(f"{GATEWAY}/account", "apigateway:PATCH", READS_API),
        Needs(ROLE, "iam:PassRole", ""),
    ],
    "AWS::ApiGateway::ApiKey": [Needs(f"{GATEWAY}/apikeys/1", WRITES_API, READS_API)],
    "AWS::ApiGateway::UsagePlan": [Needs(f"{GATEWAY}/usageplans/1", WRITES_API, READS_API)],
    "AWS::ApiGateway::UsagePlanKey": [Needs(f"{GATEWAY}/usageplans/1/keys/2", WRITES_API, READS_API)],
    "AWS::ApiGatewayV2::Api": [HTTP_API],
    "AWS::ApiGatewayV2::Authorizer": [HTTP_API],
    "AWS::ApiGatewayV2::Integration": [HTTP_API],
    "AWS::ApiGatewayV2::Route": [HTTP_API],
    "AWS::ApiGatewayV2::Stage": [HTTP_API, Needs(NO_RESOURCE, LOG_DELIVERY, "logs:DescribeResourcePolicies")],
    "AWS::Budgets::Budget": [
        Needs("arn:aws:budgets::123456789012:budget/modelcycle-dev-X", "budgets:ModifyBudget", "budgets:ViewBudget")
    ],
    "AWS::CloudFormation::Stack": [
        Needs(named("cloudformation", "stack/"), "cloudformation:CreateStack cloudformation:UpdateStack", "")
    ],
    "AWS::CloudWatch::Alarm": [
        Needs(
            named("cloudwatch", "alarm:"),
            "cloudwatch:PutMetricAlarm cloudwatch:DeleteAlarms",
            "cloudwatch:ListTagsForResource",
        ),
        Needs(ALARMS, "", "cloudwatch:DescribeAlarms"),
    ],
    "AWS::CloudWatch::Dashboard": [
        Needs(
            "arn:aws:cloudwatch::123456789012:dashboard/modelcycle-dev-operations",
            "cloudwatch:PutDashboard cloudwatch:DeleteDashboards",
            "cloudwatch:GetDashboard",
        )
    ],
    "AWS::Logs::QueryDefinition": [
        Needs(NO_RESOURCE, "logs:PutQueryDefinition logs:DeleteQueryDefinition", "logs:DescribeQueryDefinitions")
    ],
    "AWS::DynamoDB::Table": [
        Needs(
            named("dynamodb", "table/"),
            "dynamodb:CreateTable dynamodb:UpdateTable dynamodb:TagResource",
            "dynamodb:DescribeTable dynamodb:DescribeContinuousBackups dynamodb:ListTagsOfResource",
        ),
        Needs(KEY_OF_ANOTHER, "kms:CreateGrant kms:Decrypt", "kms:DescribeKey"),
    ],
    "AWS::EC2::FlowLog": [
        Needs(FLOW, "ec2:CreateFlowLogs ec2:DeleteFlowLogs", ""),
        Needs(f"arn:aws:ec2{IN}vpc/vpc-1", "ec2:CreateFlowLogs", ""),
        Needs(NO_RESOURCE, "logs:CreateLogDelivery logs:DeleteLogDelivery", "ec2:DescribeFlowLogs"),
        Needs(ROLE, "iam:PassRole", ""),
    ],
    "AWS::ECR::Repository": [
        Needs(
            named("ecr", "repository/").lower(),
            "ecr:CreateRepository ecr:PutLifecyclePolicy ecr:DeleteRepository",
            "ecr:DescribeRepositories ecr:GetLifecyclePolicy ecr:GetRepositoryPolicy ecr:ListTagsForResource",
        ),
    ],
    "AWS::ECS::Cluster": [
        Needs(NO_RESOURCE, "ecs:CreateCluster", ""),
        Needs(named("ecs", "cluster/"), "ecs:UpdateCluster ecs:DeleteCluster ecs:TagResource", "ecs:DescribeClusters"),
        Needs(
            "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
            "iam:CreateServiceLinkedRole",
            "",
        ),
    ],
    "AWS::ECS::TaskDefinition": [
        Needs(NO_RESOURCE, "ecs:RegisterTaskDefinition ecs:DeregisterTaskDefinition", "ecs:DescribeTaskDefinition"),
        Needs(ROLE, "iam:PassRole", ""),
    ],
    "AWS::Events::ApiDestination": [
        Needs(
            f"{named('events', 'api-destination/')}/1-2",
            "events:CreateApiDestination events:UpdateApiDestination events:DeleteApiDestination",
            "events:DescribeApiDestination",
        )
    ],
    "AWS::Events::Connection": [
        Needs(
            f"{named('events', 'connection/')}/1-2",
            "events:CreateConnection events:UpdateConnection events:DeleteConnection",
            "events:DescribeConnection",
        ),
        # EventBridge keeps what authorizes the requests in a secret of its own; ours is read by a dynamic reference
        Needs(
            f"arn:aws:secretsmanager{IN}secret:events!connection/modelcycle-dev-X-1/1-2",
            "secretsmanager:CreateSecret secretsmanager:GetSecretValue secretsmanager:PutSecretValue "
            "secretsmanager:UpdateSecret secretsmanager:DeleteSecret",
            "",
        ),
        Needs(f"arn:aws:secretsmanager{IN}secret:modelcycle-dev/x-1", "secretsmanager:GetSecretValue", ""),
        Needs(
            "arn:aws:iam::123456789012:role/aws-service-role/apidestinations.events.amazonaws.com/"
            "AWSServiceRoleForAmazonEventBridgeApiDestinations",
            "iam:CreateServiceLinkedRole",
            "",
        ),
    ],
    "AWS::Events::EventBus": [
        Needs(named("events", "event-bus/"), "events:CreateEventBus events:DeleteEventBus", "events:DescribeEventBus")
    ],
    "AWS::Events::Rule": [
        Needs(
            rule,
            "events:PutRule events:PutTargets events:RemoveTargets events:DeleteRule",
            "events:DescribeRule events:ListTargetsByRule",
        )
        for rule in (named("events", "rule/"), f"arn:aws:events{IN}rule/modelcycle-dev-S-1/modelcycle-dev-T-1")
    ],
    "AWS::IAM::ManagedPolicy": [
        Needs(
            "arn:aws:iam::123456789012:policy/modelcycle-dev-X-1",
            "iam:CreatePolicy iam:CreatePolicyVersion iam:DeletePolicyVersion iam:DeletePolicy",
            "iam:GetPolicy iam:GetPolicyVersion iam:ListPolicyVersions iam:ListEntitiesForPolicy",
        ),
    ],
    "AWS::IAM::Policy": [Needs(ROLE, WRITES_ROLE, "iam:GetRolePolicy")],
    "AWS::IAM::Role": [
        Needs(
            ROLE,
            f"iam:CreateRole iam:DeleteRole iam:UpdateAssumeRolePolicy iam:AttachRolePolicy {WRITES_ROLE}",
            "iam:GetRole iam:GetRolePolicy iam:ListRolePolicies iam:ListAttachedRolePolicies",
        ),
    ],
    "AWS::KMS::Key": [
        Needs(NO_RESOURCE, "kms:CreateKey", ""),
        Needs(
            KEY,
            "kms:PutKeyPolicy kms:EnableKeyRotation kms:TagResource kms:ScheduleKeyDeletion",
            "kms:DescribeKey kms:GetKeyPolicy kms:GetKeyRotationStatus kms:ListResourceTags",
        ),
    ],
    "AWS::Kinesis::Stream": [
        Needs(
            named("kinesis", "stream/"),
            "kinesis:CreateStream kinesis:StartStreamEncryption kinesis:DeleteStream",
            "kinesis:DescribeStreamSummary kinesis:ListTagsForStream",
        ),
    ],
    "AWS::KinesisFirehose::DeliveryStream": [
        Needs(
            named("firehose", "deliverystream/"),
            "firehose:CreateDeliveryStream firehose:UpdateDestination firehose:StartDeliveryStreamEncryption",
            "firehose:DescribeDeliveryStream firehose:ListTagsForDeliveryStream",
        ),
        Needs(ROLE, "iam:PassRole", ""),
    ],
    "AWS::Lambda::EventSourceMapping": [
        Needs(
            MAPPING,
            "lambda:CreateEventSourceMapping lambda:UpdateEventSourceMapping lambda:DeleteEventSourceMapping",
            "lambda:GetEventSourceMapping lambda:ListTags",
        ),
    ],
    "AWS::Lambda::Permission": [Needs(FUNCTION, "lambda:AddPermission lambda:RemovePermission", "lambda:GetPolicy")],
    "AWS::Logs::LogGroup": [
        Needs(
            "",
            "logs:CreateLogGroup logs:PutRetentionPolicy logs:AssociateKmsKey logs:TagResource logs:DeleteLogGroup",
            "logs:ListTagsForResource logs:GetDataProtectionPolicy",
        ),  # each by its own name, below
        Needs(GROUPS, "", "logs:DescribeLogGroups"),
        Needs(NO_RESOURCE, "", "logs:DescribeIndexPolicies logs:DescribeResourcePolicies"),
    ],
    "AWS::Logs::LogStream": [
        Needs(
            f"arn:aws:logs{IN}log-group:/modelcycle/modelcycle-dev/capture:log-stream:1",
            "logs:CreateLogStream logs:DeleteLogStream",
            "logs:DescribeLogStreams",
        ),
    ],
    "AWS::S3::Bucket": [
        Needs(
            BUCKET,
            "s3:CreateBucket s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration s3:PutBucketTagging",
            "s3:GetBucketVersioning s3:GetEncryptionConfiguration s3:GetLifecycleConfiguration "
            "s3:GetReplicationConfiguration s3:GetBucketObjectLockConfiguration s3:GetBucketTagging",
        ),
    ],
    "AWS::S3::BucketPolicy": [Needs(BUCKET, "s3:PutBucketPolicy s3:DeleteBucketPolicy", "s3:GetBucketPolicy")],
    "AWS::SNS::Subscription": [
        Needs(named("sns"), "sns:Subscribe", ""),
        Needs(SUBSCRIPTION, "sns:Unsubscribe sns:SetSubscriptionAttributes", "sns:GetSubscriptionAttributes"),
    ],
    "AWS::SNS::Topic": [
        Needs(
            named("sns"),
            "sns:CreateTopic sns:SetTopicAttributes sns:DeleteTopic",
            "sns:GetTopicAttributes sns:ListTagsForResource sns:ListSubscriptionsByTopic sns:GetDataProtectionPolicy",
        ),
    ],
    "AWS::SNS::TopicPolicy": [Needs(named("sns"), "sns:SetTopicAttributes", "sns:GetTopicAttributes")],
    "AWS::SQS::Queue": [
        Needs(
            named("sqs"),
            "sqs:CreateQueue sqs:SetQueueAttributes sqs:DeleteQueue",
            "sqs:GetQueueAttributes sqs:GetQueueUrl sqs:ListQueueTags",
        ),
    ],
    "AWS::SQS::QueuePolicy": [Needs(named("sqs"), "sqs:SetQueueAttributes", "sqs:GetQueueAttributes")],
    "AWS::Scheduler::Schedule": [
        Needs(
            named("scheduler", "schedule/default/"),
            "scheduler:CreateSchedule scheduler:DeleteSchedule",
            "scheduler:GetSchedule",
        ),
        Needs(ROLE, "iam:PassRole", ""),
    ],
    "AWS::Serverless::Api": [
        Needs(f"{GATEWAY}/restapis", "apigateway:POST", READS_API),
        Needs(f"{GATEWAY}/restapis/1/stages/live", WRITES_API, READS_API),
        Needs(f"{GATEWAY}/tags/arn", "apigateway:PUT", READS_API),
    ],
    "AWS::Serverless::Function": [
        Needs(
            FUNCTION,
            "lambda:CreateFunction lambda:UpdateFunctionCode lambda:PublishVersion lambda:CreateAlias "
            "lambda:AddPermission lambda:PutFunctionEventInvokeConfig lambda:TagResource",
            "lambda:GetFunction lambda:GetFunctionCodeSigningConfig lambda:GetRuntimeManagementConfig lambda:ListTags",
        ),
        Needs(
            f"{FUNCTION}:live",
            "lambda:UpdateAlias",
            "lambda:GetAlias lambda:GetProvisionedConcurrencyConfig lambda:GetFunctionEventInvokeConfig",
        ),
        Needs("arn:aws:s3:::releases/0123", "s3:GetObject", ""),
        Needs(ROLE, "iam:PassRole", ""),
        Needs(
            NO_RESOURCE,
            "ec2:DescribeSubnets ec2:DescribeSecurityGroups ec2:DescribeVpcs",
            "ec2:DescribeNetworkInterfaces",
        ),
        # its DeploymentPreference
        Needs(named("codedeploy", "application:"), "codedeploy:CreateApplication", "codedeploy:GetApplication"),
        Needs(
            f"{named('codedeploy', 'deploymentgroup:')}/modelcycle-dev-Y",
            "codedeploy:CreateDeploymentGroup codedeploy:CreateDeployment codedeploy:GetDeployment",
            "codedeploy:GetDeploymentGroup",
        ),
        Needs(
            f"arn:aws:codedeploy{IN}deploymentconfig:CodeDeployDefault.LambdaAllAtOnce",
            "codedeploy:GetDeploymentConfig",
            "",
        ),
    ],
    "AWS::Serverless::LayerVersion": [
        Needs(f"arn:aws:lambda{IN}layer:modelcycle-dev-data", "lambda:PublishLayerVersion", ""),
        Needs(f"arn:aws:lambda{IN}layer:modelcycle-dev-data:1", "", "lambda:GetLayerVersion"),
    ],
    "AWS::Serverless::StateMachine": [
        Needs(
            MACHINE,
            "states:CreateStateMachine states:UpdateStateMachine states:TagResource",
            "states:DescribeStateMachine states:ListTagsForResource",
        ),
        Needs("arn:aws:s3:::releases/0123", "s3:GetObject", ""),
        Needs(ROLE, "iam:PassRole", ""),
    ],
    "AWS::WAFv2::LoggingConfiguration": [
        Needs(
            ACL,
            "wafv2:PutLoggingConfiguration wafv2:DeleteLoggingConfiguration",
            "wafv2:GetLoggingConfiguration",
        ),
        Needs(NO_RESOURCE, "logs:CreateLogDelivery logs:DeleteLogDelivery logs:PutResourcePolicy", ""),
        Needs(NO_RESOURCE, "", "logs:DescribeResourcePolicies"),
        Needs(GROUPS, "", "logs:DescribeLogGroups"),
    ],
    "AWS::WAFv2::WebACL": [
        Needs(
            ACL,
            "wafv2:CreateWebACL wafv2:UpdateWebACL wafv2:DeleteWebACL wafv2:TagResource wafv2:UntagResource",
            "wafv2:GetWebACL wafv2:ListTagsForResource",
        ),
        Needs(f"arn:aws:wafv2{IN}regional/managedruleset/AWS/x", "wafv2:CreateWebACL wafv2:UpdateWebACL", ""),
    ],
    "AWS::WAFv2::WebACLAssociation": [
        Needs(ACL, "wafv2:AssociateWebACL wafv2:DisassociateWebACL", "wafv2:GetWebACL wafv2:GetWebACLForResource"),
        Needs(
            STAGE,
            "wafv2:AssociateWebACL wafv2:DisassociateWebACL apigateway:SetWebACL",
            "wafv2:GetWebACLForResource",
        ),
    ],
}
