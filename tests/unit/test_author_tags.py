"""An upload proves who has made it where it can, and goes on without proof where it cannot."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import parse_qsl

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError

from cli.author_tags import put_as_author
from cli.place import Credentials, Place
from modelcycle.store import AUTHOR, PRINCIPAL, SESSION

USER = "arn:aws:iam::123456789012:user/ann"


class Aws:
    """STS, IAM and a bucket that takes the tags of one principal."""

    class exceptions:  # noqa: N801
        ClientError = ClientError

    def __init__(self, arn: str, takes: str | None, role: str | None = None, code: str = "AccessDenied") -> None:
        self.arn, self.takes, self.role, self.code = arn, takes, role, code
        self.tried: list[str] = []
        self.asked_iam: dict[str, Any] = {}
        self.is_closed = False
        self.bodies: list[bytes] = []

    def client(self, service: str, **settings: Any) -> Aws:
        if service == "iam":
            self.asked_iam = settings
            if self.is_closed:
                raise ConnectTimeoutError(endpoint_url="https://iam.amazonaws.com/")
        return self

    def get_caller_identity(self) -> dict[str, str]:
        return {"Arn": self.arn, "UserId": "ID:ann"}

    def get_role(self, *, RoleName: str) -> dict[str, Any]:  # noqa: N803
        if self.role is None:
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetRole")
        return {"Role": {"Arn": self.role}}

    def put_object(self, **given: Any) -> None:
        assert given["Metadata"] == {AUTHOR: self.arn}
        body = given["Body"]
        self.bodies.append(body if isinstance(body, bytes) else body.read())
        if "Tagging" in given:
            tags = dict(parse_qsl(given["Tagging"]))
            assert tags[SESSION] == "ID:ann"
            self.tried.append(tags[PRINCIPAL])
            if tags[PRINCIPAL] != self.takes:
                raise ClientError({"Error": {"Code": self.code}}, "PutObject")


def put(aws: Aws) -> bool:
    place = Place("aws", aws, {}, Credentials("a", "b"), region="eu-central-1")
    proved = put_as_author(place, "data", "raw/m/a.csv", io.BytesIO(b"a,b\n"))
    assert set(aws.bodies) == {b"a,b\n"}, "each attempt sends the whole file"
    return proved


ROLE = "arn:aws:sts::123456789012:assumed-role/{}/ann"
OF_ROLE = "arn:aws:iam::123456789012:role/{}"
SSO = "AWSReservedSSO_Dev_1"


@pytest.mark.parametrize(("aws", "tried"), [
    (Aws(USER, USER), [USER]),
    (Aws(ROLE.format("Dev"), OF_ROLE.format("Dev")), [OF_ROLE.format("Dev")]),
    (Aws(ROLE.format("Dev"), OF_ROLE.format("a/Dev"), role=OF_ROLE.format("a/Dev")), [OF_ROLE.format("a/Dev")]),
    (Aws(ROLE.format(SSO), OF_ROLE.format(f"aws-reserved/sso.amazonaws.com/{SSO}")),
     [OF_ROLE.format(f"aws-reserved/sso.amazonaws.com/{path}{SSO}") for path in ("eu-central-1/", "")]),
])  # fmt: skip
def test_the_tags_name_the_principal_as_policies_know_it(aws: Aws, tried: list[str]) -> None:
    assert put(aws) and aws.tried == tried


@pytest.mark.parametrize("aws", [
    Aws(USER, None), Aws(ROLE.format("Dev"), OF_ROLE.format("path/Dev")), Aws("arn:aws:iam::1:user/ann,bob", None),
], ids=["no right", "a path that nobody tells", "no value of a tag"])  # fmt: skip
def test_without_proof_the_upload_is_made_all_the_same(aws: Aws) -> None:
    assert not put(aws) and len(aws.bodies) == len(aws.tried) + 1


def test_what_is_only_a_proof_is_not_uploaded_without_one() -> None:
    aws = Aws(USER, None)
    place = Place("aws", aws, {}, Credentials("a", "b"), region="eu-central-1")
    assert not put_as_author(place, "data", "requests/m/e1", b"", only_as_proof=True)
    assert len(aws.bodies) == len(aws.tried) == 1, "who has no right to the folder starts the run all the same"


def test_a_network_without_iam_does_not_hold_up_an_upload() -> None:
    aws = Aws(ROLE.format("Dev"), OF_ROLE.format("Dev"))
    aws.is_closed = True
    assert put(aws), "the role without a path is tried all the same"
    config = Config(**aws.asked_iam)
    assert config.connect_timeout < 10 and config.read_timeout < 10
    assert config.retries == {"total_max_attempts": 1}


def test_another_error_is_none_of_the_tags() -> None:
    with pytest.raises(ClientError, match="SlowDown"):
        put(Aws(USER, None, code="SlowDown"))
