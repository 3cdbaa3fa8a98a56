"""One whole lifecycle in process (moto for AWS), with every event that a function was given in it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from moto import mock_aws

from modelcycle import aws
from modelcycle.invocations import Invoked
from tests.contract.conductor import conduct, flow
from tests.contract.functions import Function, functions
from tests.contract.rows import CSV, PIPELINE

ENVIRONMENT = {
    "CODE_VERSION": "test", "DATA_BUCKET": "data", "ARTIFACT_BUCKET": "artifacts", "REGISTRY_TABLE": "registry",
    "EVENT_BUS": "bus", "CAPTURE_STREAM": "captures", "CANDIDATE": "Candidate", "LIFECYCLE": "", "ROLLOUT": "",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "POWERTOOLS_METRICS_NAMESPACE": "ModelCycle",
}  # fmt: skip


class Candidate:
    """The function Candidate in this process, as one environment; moto runs functions in Docker only."""

    def __init__(self) -> None:
        self.answers_one_at_a_time = threading.Lock()

    def invoke(self, event: bytes) -> Invoked:
        with self.answers_one_at_a_time:
            return Invoked(json.loads(json.dumps(functions()["Candidate"](json.loads(event)))))


@dataclass
class World:
    """A region with the stack's storage, and the events and results of its functions."""

    given: dict[str, list[Any]] = field(default_factory=dict)
    answered: dict[str, list[Any]] = field(default_factory=dict)

    def task(self, resource: str, event: Any) -> Any:
        """Run a task as Step Functions does."""
        if resource.endswith("states:startExecution"):
            end, _ = conduct(flow("rollout"), event["Input"], self.task, f"arn:rollout:{event['Name']}")
            return {"ExecutionArn": end}
        name = resource.removeprefix("${").removesuffix("}")
        event = json.loads(json.dumps(event))
        self.given.setdefault(name, []).append(event)
        answer = json.loads(json.dumps(functions()[name](event)))
        self.answered.setdefault(name, []).append(answer)
        return answer

    def upload(self, key: str, body: bytes) -> dict[str, Any]:
        """Put an object as a user does; return the event that S3 sends."""
        etag = boto3.client("s3").put_object(Bucket="data", Key=key, Body=body)["ETag"].strip('"')
        sequencer = f"{len(self.given.get('Claim', [])):016X}"
        detail = {"bucket": {"name": "data"}, "object": {"key": key, "etag": etag, "sequencer": sequencer}}
        return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}

    def run(self, event: dict[str, Any], execution: str) -> tuple[str, Any]:
        return conduct(flow("lifecycle"), event, self.task, execution)

    def score(self, event: dict[str, Any], execution: str) -> tuple[str, Any]:
        return conduct(flow("batch_scoring"), event, self.task, execution)

    def registry(self) -> dict[tuple[str, str], str]:
        """All records except the events, by key."""
        pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName="registry")
        return {
            (item["pk"]["S"], item["sk"]["S"]): item["body"]["S"]
            for page in pages
            for item in page["Items"]
            if item["kind"]["S"] != "event"
        }


@pytest.fixture(scope="package")
def world() -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        key = boto3.client("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
        patch.setenv("SIGNING_KEY", key)
        aws.adapters.cache_clear()
        # Powertools gives a router to the app that took it last; other tests of this process load handlers too
        Function.module.cache_clear()
        patch.setattr(aws.Adapters, "candidate", Candidate())
        s3 = boto3.client("s3")
        for bucket in ("data", "artifacts"):
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        boto3.client("dynamodb").create_table(
            TableName="registry",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        boto3.client("events").create_event_bus(Name="bus")
        yield World()
        aws.adapters.cache_clear()


@pytest.fixture(scope="package")
def lived(world: World) -> World:
    """The world after a model went live."""
    boto3.client("s3").put_object(Bucket="data", Key="pipelines/sour-plums.yaml", Body=PIPELINE.encode())
    end, data = world.run(world.upload("raw/sour-plums/first.csv", CSV.encode()), "arn:execution:first")
    assert end == "Deployed", data
    end, data = world.score(world.upload("score/sour-plums/new.csv", CSV.encode()), "arn:execution:scored")
    assert end == "Scored", data
    return world
