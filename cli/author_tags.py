"""Tags with which an upload proves who has made it: the data bucket refuses them if they are not the caller's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO
from urllib.parse import urlencode

from botocore.exceptions import BotoCoreError, ClientError

from cli.place import Place
from modelcycle.store import AUTHOR, PRINCIPAL, SESSION

DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403"})
TAG_VALUE = re.compile(r"[\w\s+\-=.:/@]{1,256}")  # what S3 takes as the value of a tag
ASK_IAM = {
    "connect_timeout": 3,
    "read_timeout": 5,
    "retries": {"total_max_attempts": 1},
}  # s; a closed network drops it
SSO_ROLE = "AWSReservedSSO_"
SSO_PATHS = ("aws-reserved/sso.amazonaws.com/{region}/", "aws-reserved/sso.amazonaws.com/")


def put_as_author(
    place: Place, bucket: str, key: str, body: bytes | IO[bytes], *, only_as_proof: bool = False
) -> bool:  # fmt: skip
    """Upload an object that says who uploads it; return whether the bucket has proved it.

    Whoever may not set tags, or acts for a role whose full ARN nobody tells them, uploads without proof.

    Parameters
    ----------
    only_as_proof : whether the object is of no use without it, so that nothing is uploaded then
    """
    named = {"Bucket": bucket, "Key": key, "Metadata": {AUTHOR: place.identity}}
    for principal in _principals(place):
        tags = {PRINCIPAL: principal, SESSION: place.caller.user_id}
        if not all(TAG_VALUE.fullmatch(value) for value in tags.values()):
            continue
        try:
            place.s3.put_object(**named, Body=_from_start(body), Tagging=urlencode(tags))
        except ClientError as error:
            if error.response["Error"]["Code"] not in DENIED:
                raise
        else:
            return True
    if not only_as_proof:
        place.s3.put_object(**named, Body=_from_start(body))
    return False


def _principals(place: Place) -> Iterator[str]:
    """Yield what `aws:PrincipalArn` may be for who acts. Of a session it is the role with its path, which STS omits."""
    session = re.fullmatch(r"arn:([\w-]+):sts::(\d+):assumed-role/([^/]+)/.+", place.identity)
    if session is None:
        yield place.identity
        return
    partition, account, role = session.groups()
    known = _arn_of_role(place, role)
    if known is not None:
        yield known
        return
    paths = SSO_PATHS if role.startswith(SSO_ROLE) else ("",)
    for path in paths:
        yield f"arn:{partition}:iam::{account}:role/{path.format(region=place.region)}{role}"


def _arn_of_role(place: Place, role: str) -> str | None:
    """Return the ARN of a role; None for whoever may not ask, or cannot: IAM has no endpoint in a closed network."""
    try:
        arn: str = place.client("iam", **ASK_IAM).get_role(RoleName=role)["Role"]["Arn"]
    except (ClientError, BotoCoreError):
        return None
    return arn


def _from_start(body: bytes | IO[bytes]) -> bytes | IO[bytes]:
    if not isinstance(body, bytes):
        body.seek(0)
    return body
