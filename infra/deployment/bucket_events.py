"""Waits until a new bucket's events arrive.

An upload starts the lifecycle by an event. S3 begins to send the events of a bucket some minutes after it was told to
(AWS page "Enabling Amazon EventBridge": around five). What is uploaded before never starts anything. So an object is
written again and again until EventBridge has delivered the event of one, to a rule and a queue made for this purpose.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_WAIT = 600.0  # seconds
INTERVAL = 10  # seconds between two objects; a receive waits for 20 at most
PREFIX = "probes/"
Say = Callable[[str], None]


@dataclass(frozen=True)
class Probe:
    """The rule, its target, and the queue by which events are noticed."""

    s3: Any
    events: Any
    sqs: Any
    name: str
    bucket: str


def wait_for_events(
    client: Callable[[str], Any],
    stack: str,
    bucket: str,
    say: Say,
    *,
    max_wait: float = MAX_WAIT,
    interval: int = INTERVAL,
    clock: Callable[[], float] = time.monotonic,
) -> float | None:
    """Return after how many seconds an event of the bucket arrived; None if none did in `max_wait`.

    Parameters
    ----------
    client : returns a boto3 client
    stack : names of the rule and the queue begin with it
    say : told every minute how long it has taken
    """
    remove_probes(client, stack)  # of a command that was killed
    probe = Probe(client("s3"), client("events"), client("sqs"), f"{stack}-probe-{uuid.uuid4().hex[:8]}", bucket)
    began, told, written = clock(), 0.0, list[tuple[str, str | None]]()
    try:
        queue = _listen(probe)
        while (waited := clock() - began) < max_wait:
            if waited - told >= 60:
                told = waited
                say(f"still waiting for events of {bucket}: {waited / 60:.0f} of at most {max_wait / 60:.0f} minutes")
            key = f"{PREFIX}{probe.name}/{len(written)}"
            answer = probe.s3.put_object(Bucket=bucket, Key=key, Body=b"")
            written.append((key, answer.get("VersionId")))
            if _heard(probe, queue, interval):
                return clock() - began
        return None
    finally:
        for key, version in written:
            probe.s3.delete_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))
        remove_probes(client, stack)


def remove_probes(client: Callable[[str], Any], stack: str) -> list[str]:
    """Delete the rules and queues of probes of a stack; return their names."""
    events, sqs = client("events"), client("sqs")
    removed = []
    prefix = f"{stack}-probe-"
    for rule in events.list_rules(NamePrefix=prefix)["Rules"]:
        targets = [target["Id"] for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]]
        if targets:
            events.remove_targets(Rule=rule["Name"], Ids=targets)
        events.delete_rule(Name=rule["Name"])
        removed.append(rule["Name"])
    for queue in sqs.list_queues(QueueNamePrefix=prefix).get("QueueUrls", []):
        sqs.delete_queue(QueueUrl=queue)
        removed.append(queue.rsplit("/", 1)[-1])
    return removed


def _listen(probe: Probe) -> str:
    """Make the queue and the rule; return the queue's URL."""
    attributes = {"MessageRetentionPeriod": "300", "SqsManagedSseEnabled": "true"}
    queue: str = probe.sqs.create_queue(QueueName=probe.name, Attributes=attributes)["QueueUrl"]
    arn = probe.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [probe.bucket]}, "object": {"key": [{"prefix": PREFIX}]}},
    }
    rule = probe.events.put_rule(Name=probe.name, EventPattern=json.dumps(pattern))["RuleArn"]
    statement = {
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
        "Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    probe.sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    probe.events.put_targets(Rule=probe.name, Targets=[{"Id": "queue", "Arn": arn}])
    return queue


def _heard(probe: Probe, queue: str, seconds: int) -> bool:
    messages = probe.sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=seconds, MaxNumberOfMessages=10)
    bodies = [json.loads(message["Body"]) for message in messages.get("Messages", [])]
    return any(body["detail"]["object"]["key"].startswith(f"{PREFIX}{probe.name}/") for body in bodies)
