"""Deletes a versioned bucket with every version in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from infra.deployment.faults import DeploymentFailed

Say = Callable[[str], None]


def delete_bucket(s3: Any, bucket: str, say: Say = lambda line: None) -> int | None:
    """Delete all versions, delete markers and unfinished uploads of a bucket, then the bucket.

    Returns
    -------
    how many versions and markers there were; None if there is no such bucket

    Raises
    ------
    DeploymentFailed : S3 refuses to delete an object
    """
    from botocore.exceptions import ClientError

    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
            return None
        raise
    deleted = empty(s3, bucket, "", say, locked=_is_locked(s3, bucket))
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    s3.delete_bucket(Bucket=bucket)
    return deleted


def _is_locked(s3: Any, bucket: str) -> bool:
    """Return whether Object Lock keeps what is in the bucket, as it does with seals."""
    from botocore.exceptions import ClientError

    try:
        found = s3.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    except ClientError:  # there is no such configuration
        return False
    return bool(found.get("ObjectLockEnabled") == "Enabled")


def empty(
    s3: Any, bucket: str, prefix: str, say: Say = lambda line: None, *, locked: bool = False
) -> int:  # fmt: skip
    """Delete all versions and delete markers of the objects below a prefix; return how many there were.

    Parameters
    ----------
    locked : delete what Object Lock keeps in governance mode, which needs s3:BypassGovernanceRetention

    Raises
    ------
    DeploymentFailed : S3 refuses to delete an object
    """
    deleted, told = 0, 0
    # always the first page, of at most 1,000, as many as one request may delete: what is written meanwhile goes too
    while True:
        page = s3.list_object_versions(Bucket=bucket, Prefix=prefix)
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not found:
            return deleted
        objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        bypass = {"BypassGovernanceRetention": True} if locked else {}
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True}, **bypass)
        if answer.get("Errors"):
            first = answer["Errors"][0]
            raise DeploymentFailed(
                f"S3 did not delete {len(answer['Errors'])} objects: {first.get('Code')}: {first.get('Message')}",
                f"s3://{bucket}/{first['Key']}", "remove the cause (an object lock?), then run the same command again",
            )  # fmt: skip
        deleted += len(objects)
        if deleted - told >= 10_000:
            told = deleted
            say(f"{bucket}: {deleted:,} versions deleted")
