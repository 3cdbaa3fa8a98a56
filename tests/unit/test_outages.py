"""At each port an outage of the service becomes a fault that the state machines retry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore import exceptions
from botocore.response import StreamingBody
from moto import mock_aws

from modelcycle.aws import Adapters, Environment
from modelcycle.faults import Fault, NoData, Throttled, Transient
from modelcycle.messages import Artifact, Event
from modelcycle.registry import Write
from modelcycle.store import Listed

ARTIFACT = Artifact(uri="s3://artifacts/a/b", sha256="0" * 64, bytes=1)
UNREACHABLE = exceptions.EndpointConnectionError(endpoint_url="http://nowhere")
TIMED_OUT = exceptions.ReadTimeoutError(endpoint_url="http://nowhere")
CUT_OFF = exceptions.ConnectionClosedError(endpoint_url="http://nowhere")
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
Call = Callable[[Adapters, Path], Any]

CALLS: dict[str, Call] = {
    "put": lambda cloud, folder: cloud.artifacts.put("a/b", b"x"),
    "read": lambda cloud, folder: cloud.artifacts.read(ARTIFACT),
    "fetch": lambda cloud, folder: cloud.artifacts.fetch(ARTIFACT, folder),
    "list": lambda cloud, folder: list(cloud.data.list("raw/")),
    "latest": lambda cloud, folder: cloud.data.latest("pipelines/m.yaml"),
    "download": lambda cloud, folder: cloud.data.download(Listed("raw/m/a", "etag", 1), folder / "a"),
    "record": lambda cloud, folder: cloud.registry.table.get("ROUTE#m", "ROUTE"),
    "query": lambda cloud, folder: cloud.registry.table.query("RUN#m"),
    "write": lambda cloud, folder: cloud.registry.table.write(Write("ROUTE#m", "ROUTE", {})),
    "is_running": lambda cloud, folder: cloud.flows.is_running("arn:aws:states:us-east-1:1:execution:flow:name"),
    "start": lambda cloud, folder: cloud.flows.start("arn:aws:states:us-east-1:1:stateMachine:flow", "name", {}),
    "publish": lambda cloud, folder: cloud.bus.put([Event(id="1", kind="RunEnded", model="m", at=WHEN, detail={})]),
}


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Adapters:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    return Adapters(
        Environment(
            code_version="c",
            data_bucket="data",
            artifact_bucket="artifacts",
            registry_table="registry",
            event_bus="bus",
        )
    )


def fails_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def call(client: Any, name: str, arguments: Any) -> Any:
        raise error

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", call)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("error", [UNREACHABLE, TIMED_OUT, CUT_OFF], ids=lambda error: type(error).__name__)
def test_an_unreachable_service_is_exactly_transient(
    cloud: Adapters, call: Call, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_with(error, monkeypatch)
    with pytest.raises(Transient, match="did not answer") as caught:
        call(cloud, tmp_path)
    assert type(caught.value) is Transient


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    ("code", "kind"),
    [("ThrottlingException", Throttled), ("SlowDown", Throttled), ("InternalServerError", Transient)],
)
def test_a_failing_or_throttling_service_is_exactly_its_fault(
    cloud: Adapters, call: Call, code: str, kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_with(exceptions.ClientError({"Error": {"Code": code, "Message": code}}, "Any"), monkeypatch)
    with pytest.raises(Transient) as caught:
        call(cloud, tmp_path)
    assert type(caught.value) is kind


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_refusal_by_iam_passes_unchanged(
    cloud: Adapters, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = "role/x is not authorized to perform: s3:GetObject"
    fails_with(
        exceptions.ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, "GetObject"), monkeypatch
    )
    with pytest.raises(exceptions.ClientError, match=message):
        call(cloud, tmp_path)


@pytest.mark.parametrize("call", ["read", "fetch", "latest", "download"])
def test_half_an_object_is_transient(
    cloud: Adapters, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection ends in the middle of the body."""
    import io

    monkeypatch.setattr(
        "botocore.client.BaseClient._make_api_call",
        lambda client, name, arguments: {"Body": StreamingBody(io.BytesIO(b"half"), content_length=8)},
    )
    with pytest.raises(Transient, match="did not answer"):
        CALLS[call](cloud, tmp_path)


def test_an_error_of_the_code_that_reads_a_list_passes_unchanged(
    cloud: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = {"Key": "raw/a", "ETag": '"e"', "Size": 1, "LastModified": WHEN}
    monkeypatch.setattr(
        "botocore.client.BaseClient._make_api_call", lambda client, name, arguments: {"Contents": [entry]}
    )
    with pytest.raises(exceptions.ReadTimeoutError):
        for _ in cloud.data.list("raw/"):
            raise TIMED_OUT


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_unknown_keys_are_named_with_what_renews_them(
    cloud: Adapters, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_with(exceptions.ClientError({"Error": {"Code": "InvalidClientTokenId", "Message": "x"}}, "Any"), monkeypatch)
    with pytest.raises(Fault, match="does not know the access keys") as caught:
        call(cloud, tmp_path)
    assert type(caught.value) is Fault and "build/sam/env.json" in caught.value.remedy


def test_a_local_cloud_that_is_down_is_named_by_its_address(
    cloud: Adapters, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for url, named in [
        ("http://host.docker.internal:4566/plums/a", True),
        ("https://plums.s3.eu-central-1.amazonaws.com/a", False),
        ("https://dynamodb.cn-north-1.amazonaws.com.cn/", False),
    ]:
        fails_with(exceptions.EndpointConnectionError(endpoint_url=url), monkeypatch)
        with pytest.raises(Transient, match="did not answer") as caught:
            CALLS["read"](cloud, tmp_path)
        assert ("at host.docker.internal:4566" in caught.value.what) == named
        assert ("modelcycle up" in caught.value.remedy) == named


def test_a_bucket_or_table_that_is_missing_is_named(cloud: Adapters) -> None:
    with mock_aws():
        with pytest.raises(NoData, match="the bucket artifacts does not exist"):
            cloud.artifacts.latest("a")
        with pytest.raises(Fault, match="the table registry does not exist"):
            cloud.registry.runs.get("plums", "r1")
