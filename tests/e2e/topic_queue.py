"""A queue that gets the messages of a topic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from infra.local.cloud import LocalCloud


@contextmanager
def subscribed_queue(cloud: LocalCloud, topic: str, name: str) -> Iterator[str]:
    """Yield the URL of a queue that is subscribed to a topic for the duration of a `with` block."""
    sqs, sns = cloud.admin.client("sqs"), cloud.admin.client("sns")
    queue: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {
        "Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    subscription = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    yield queue
    sns.unsubscribe(SubscriptionArn=subscription)
    sqs.delete_queue(QueueUrl=queue)
