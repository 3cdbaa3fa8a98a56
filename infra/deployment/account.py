"""Who deploys, to which account and region: known before anything is built."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass, field
from typing import Any

from infra.deployment.faults import NoAccount

MAX_WAIT = 5.0  # seconds for a connection, and for an answer
MAX_ATTEMPTS = 2
EXPIRED = frozenset(("ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnauthorizedSSOTokenError"))
UNKNOWN_KEY = frozenset(("InvalidClientTokenId", "UnrecognizedClientException", "AuthFailure"))


@dataclass(frozen=True)
class Account:
    """An account of AWS as someone who may act in it.

    Parameters
    ----------
    number : of 12 digits
    caller : ARN of the person or role
    session : boto3's
    """

    number: str
    caller: str
    region: str
    session: Any = field(repr=False)

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`."""
        return self.caller.split(":")[1]

    def client(self, service: str) -> Any:
        """Return a boto3 client that repeats throttled calls."""
        from botocore.config import Config

        return self.session.client(service, config=Config(retries={"mode": "standard", "max_attempts": 8}))

    def __str__(self) -> str:
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        return f"account {self.number}, {self.region}, as {self.caller}" + (f", at {endpoint}" if endpoint else "")


def find_account() -> Account:
    """Ask AWS who the configured credentials are.

    Raises
    ------
    NoAccount : there are no credentials or no region, the region is unknown, or AWS does not accept the credentials
    """
    import boto3
    from botocore.config import Config
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        EndpointConnectionError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )

    try:
        # the AWS command line reads AWS_REGION too, boto3 does not
        session = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        region = _region(session)
        if session.get_credentials() is None:
            raise NoCredentialsError
        sts = session.client(
            "sts",
            config=Config(
                connect_timeout=MAX_WAIT,
                read_timeout=MAX_WAIT,
                retries={"mode": "standard", "max_attempts": MAX_ATTEMPTS},
            ),
        )
        identity = sts.get_caller_identity()
    except ProfileNotFound as error:
        raise NoAccount(
            f"there is no AWS profile {error.kwargs['profile']}", "AWS_PROFILE",
            f"`aws configure list-profiles` names those that exist; {_LOGIN}",
        ) from None  # fmt: skip
    except NoCredentialsError:
        raise NoAccount("there are no AWS credentials", "boto3's configuration", _LOGIN) from None
    except PartialCredentialsError as error:
        raise NoAccount(
            f"the AWS credentials lack {error.kwargs['cred_var']}", f"boto3's source {error.kwargs['provider']}", _LOGIN
        ) from None
    except ClientError as error:
        raise _refused(error, region) from None
    except EndpointConnectionError:
        raise _unreachable(session, region) from None
    except BotoCoreError as error:
        if "SSO" in type(error).__name__ or "Token" in type(error).__name__:
            raise NoAccount("the AWS session of this profile has ended", _profile(), "`aws sso login`") from None
        raise NoAccount(
            f"AWS could not be asked who you are: {error}", _profile(),
            "check the network, the proxy (HTTPS_PROXY) and the profile; `aws sts get-caller-identity` asks the same",
        ) from None  # fmt: skip
    return Account(identity["Account"], identity["Arn"], region, session)


_LOGIN = "`aws configure` or `aws sso login`, then `export AWS_PROFILE=NAME`"


def _profile() -> str:
    return f"AWS_PROFILE={os.environ['AWS_PROFILE']}" if os.environ.get("AWS_PROFILE") else "the default profile"


def _region(session: Any) -> str:
    """Return the configured region; raise NoAccount if there is none."""
    region: str | None = session.region_name
    if not region:
        raise NoAccount("no AWS region is set", _profile(), "`export AWS_REGION=eu-central-1`, or another one")
    return region


def _unreachable(session: Any, region: str) -> NoAccount:
    """Return why AWS does not answer in a region; botocore may not know the newest regions, so they are tried."""
    known = [
        name
        for partition in session.get_available_partitions()
        for name in session.get_available_regions("lambda", partition_name=partition)
    ]
    if region in known or os.environ.get("AWS_ENDPOINT_URL"):
        return NoAccount("AWS does not answer", f"region {region}", "check the network and the proxy (HTTPS_PROXY)")
    near = difflib.get_close_matches(region, known, n=1)
    return NoAccount(
        f"AWS has no region {region}", "AWS_REGION, or the profile's region",
        f"did you mean {near[0]}?" if near else "set AWS_REGION to a region of AWS, such as eu-central-1",
    )  # fmt: skip


def _refused(error: Any, region: str) -> NoAccount:
    code = error.response["Error"]["Code"]
    if code in EXPIRED:
        return NoAccount("the AWS credentials have expired", _profile(), f"get new ones: {_LOGIN}")
    if code in UNKNOWN_KEY:
        return NoAccount(
            f"AWS does not know this access key in {region}", _profile(),
            f"was the key deleted, or is the region not enabled in this account? {_LOGIN}",
        )  # fmt: skip
    if code == "SignatureDoesNotMatch":
        return NoAccount(
            "AWS does not accept the signature: the secret key is wrong, or this machine's clock is", _profile(), _LOGIN
        )
    return NoAccount(f"AWS refuses these credentials: {code}: {error.response['Error']['Message']}", _profile(), _LOGIN)
