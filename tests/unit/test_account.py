"""Who deploys, and to which account and region: said before anything is built."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws

from infra.deployment.account import find_account
from infra.deployment.faults import NoAccount
from tests.unit.aws_login import log_in, log_out


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log_out(monkeypatch, tmp_path)


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(monkeypatch)


def test_without_a_region_nothing_else_is_asked() -> None:
    with pytest.raises(NoAccount, match="no AWS region is set") as raised:
        find_account()
    assert "AWS_REGION" in raised.value.remedy


def test_without_credentials_the_way_to_get_them_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    with pytest.raises(NoAccount, match="there are no AWS credentials"):
        find_account()


def test_a_profile_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "scoring")
    with pytest.raises(NoAccount, match="no AWS profile scoring"):
        find_account()


@pytest.mark.usefixtures("somebody")
def test_the_account_is_that_of_the_credentials() -> None:
    with mock_aws():
        found = find_account()
    assert (found.number, found.region, found.partition) == ("123456789012", "eu-central-1", "aws")
    assert str(found).startswith("account 123456789012, eu-central-1, as arn:aws:")


@pytest.mark.usefixtures("somebody")
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("ExpiredToken", "have expired"),
        ("InvalidClientTokenId", "does not know this access key in eu-central-1"),
        ("SignatureDoesNotMatch", "the secret key is wrong, or this machine's clock"),
        ("AccessDenied", "AccessDenied: because"),
    ],
)
def test_each_refusal_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch, code: str, says: str) -> None:
    refuse(monkeypatch, ClientError({"Error": {"Code": code, "Message": "because"}}, "GetCallerIdentity"))
    with pytest.raises(NoAccount, match=says):
        find_account()


def refuse(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    client = boto3.client("sts", region_name="eu-central-1")

    def get_caller_identity() -> None:
        raise error

    monkeypatch.setattr(client, "get_caller_identity", get_caller_identity)
    monkeypatch.setattr(boto3.Session, "client", lambda self, name, **settings: client)


@pytest.mark.usefixtures("somebody")
@pytest.mark.parametrize(
    ("region", "says", "remedy"),
    [("eu-cental-1", "AWS has no region eu-cental-1", "eu-central-1"), ("eu-west-1", "AWS does not answer", "network")],
)
def test_a_region_that_does_not_exist_is_told_from_a_network_that_fails(
    monkeypatch: pytest.MonkeyPatch, region: str, says: str, remedy: str
) -> None:
    monkeypatch.setenv("AWS_REGION", region)
    refuse(monkeypatch, EndpointConnectionError(endpoint_url=f"https://sts.{region}.amazonaws.com"))
    with pytest.raises(NoAccount, match=says) as raised:
        find_account()
    assert remedy in raised.value.remedy
