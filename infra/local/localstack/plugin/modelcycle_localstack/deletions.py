"""S3 deletes an object on the condition that it is still the same, as AWS does; LocalStack 4.14.0 refuses that.

See the AWS page "How to perform conditional deletes": a general purpose bucket knows `If-Match` with an ETag.
"""

from __future__ import annotations

import functools
from typing import Any


def install() -> None:
    """Let LocalStack's S3 delete by `If-Match`: another ETag is 412, a missing object 404."""
    from localstack.services.s3.provider import S3Provider, verify_object_equality_precondition_write

    original = S3Provider.delete_object

    @functools.wraps(original)
    def delete_object(
        provider: Any, context: Any, bucket: str, key: str, *others: Any, if_match: str | None = None, **more: Any
    ) -> Any:
        if if_match is not None:
            _, s3_bucket = provider._get_cross_account_bucket(context, bucket)
            verify_object_equality_precondition_write(s3_bucket, key, if_match)
        return original(provider, context, bucket, key, *others, **more)

    S3Provider.delete_object = delete_object
