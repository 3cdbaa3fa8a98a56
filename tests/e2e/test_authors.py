"""Who has uploaded a file is proved by the policy of the data bucket, which the local cloud enforces."""

from __future__ import annotations

import json
import time
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from cli.author_tags import put_as_author
from cli.place import Credentials, Place
from infra.local.clients import ClientFactory
from infra.local.cloud import LocalCloud
from infra.local.keys import Key
from modelcycle.messages import Run
from modelcycle.store import AUTHOR, PRINCIPAL, SESSION
from tests.people_tables import POLICIES


@pytest.fixture(scope="module")
def ann(cloud: LocalCloud) -> Place:
    """A user who has the policy of operators."""
    iam = cloud.admin.client("iam")
    iam.create_user(UserName="ann")
    iam.attach_user_policy(UserName="ann", PolicyArn=cloud.outputs[POLICIES["Operator"][1]])
    made = iam.create_access_key(UserName="ann")["AccessKey"]
    return place_of(cloud, Key(made["AccessKeyId"], made["SecretAccessKey"]))


def place_of(cloud: LocalCloud, key: Key, token: str | None = None) -> Place:
    clients = ClientFactory.of(cloud.endpoint, key)
    credentials = Credentials(clients.access_key, clients.secret_key, token)
    return Place("local", clients, cloud.outputs, credentials, endpoint=cloud.endpoint)


def run_of(ann: Place, model: str) -> Run:
    """Return the first run of a model that has no pipeline file: its first step ends it."""
    deadline = time.monotonic() + 60
    while not (found := ann.registry.runs.latest(model)):
        assert time.monotonic() < deadline, "no run has begun"
        time.sleep(0.2)
    return found[0].run


def test_the_bucket_proves_who_has_uploaded(cloud: LocalCloud, ann: Place) -> None:
    assert put_as_author(ann, cloud.outputs["DataBucket"], "raw/by-ann/rows.csv", b"a,b\n1,2\n")
    run = run_of(ann, "by-ann")
    assert (run.author, run.author_proved, run.author_stated) == (ann.identity, True, None)


@pytest.mark.parametrize("changed", [
    {PRINCIPAL: "arn:aws:iam::000000000000:user/bob"}, {SESSION: "AIDABOB"}, {SESSION: None}, {PRINCIPAL: None},
])  # fmt: skip
def test_it_takes_no_tags_that_name_another_person(
    cloud: LocalCloud, ann: Place, changed: dict[str, str | None]
) -> None:
    tags = {PRINCIPAL: ann.identity, SESSION: ann.caller.user_id} | changed
    tagging = "&".join(f"{name}={value}" for name, value in tags.items() if value is not None)
    for key in ("raw/by-bob/rows.csv", "requests/by-bob/e1"):
        with pytest.raises(ClientError, match="AccessDenied"):
            ann.s3.put_object(Bucket=cloud.outputs["DataBucket"], Key=key, Body=b"", Tagging=tagging)


def test_nor_tags_that_come_later_or_with_a_copy(cloud: LocalCloud, ann: Place) -> None:
    bucket, key = cloud.outputs["DataBucket"], "raw/by-nobody/rows.csv"
    ann.s3.put_object(Bucket=bucket, Key=key, Body=b"a,b\n1,2\n", Metadata={AUTHOR: "arn:aws:iam::1:user/bob"})
    with pytest.raises(ClientError, match="AccessDenied"):
        ann.s3.put_object_tagging(
            Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": PRINCIPAL, "Value": "arn:aws:iam::1:user/bob"}]}
        )
    run = run_of(ann, "by-nobody")
    assert (run.author, run.author_proved) == ("arn:aws:iam::1:user/bob", False), "it is a statement, as before"


def test_a_request_for_a_run_is_proved_too(cloud: LocalCloud, ann: Place) -> None:
    name = f"asked-{uuid4().hex[:8]}"
    assert put_as_author(ann, cloud.outputs["DataBucket"], f"requests/asked/{name}", b"")
    detail = {"model": "asked", "by": "ann", "author": ann.identity}
    ann.states.start_execution(
        stateMachineArn=cloud.outputs["LifecycleArn"], name=name,
        input=json.dumps({"source": "modelcycle", "detail-type": "RunRequested", "detail": detail}),
    )  # fmt: skip
    run = run_of(ann, "asked")
    assert (run.author, run.author_proved) == (ann.identity, True)
