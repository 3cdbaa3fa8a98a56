"""The one factory of clients for the places `local` and `localstack`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from infra.local.root_key import Key

REGION = "us-east-1"


@dataclass(frozen=True)
class Session:
    """Makes clients that act as one identity on one endpoint, like a `boto3.Session`."""

    endpoint: str
    access_key: str
    secret_key: str
    region_name: str = REGION

    def client(self, service: str, **settings: Any) -> Any:
        """A boto3 client. `settings` go into botocore's Config (time-outs, retries)."""
        import localstack_client.session
        from botocore.config import Config

        # localstack-client would rather take the endpoint of the user's real work.
        kept = os.environ.pop("AWS_ENDPOINT_URL", None)
        try:
            session = localstack_client.session.Session(
                aws_access_key_id=self.access_key,
                aws_secret_access_key=self.secret_key,
                region_name=self.region_name,
                localstack_host=self.endpoint.partition("://")[2],
            )
        finally:
            if kept is not None:
                os.environ["AWS_ENDPOINT_URL"] = kept
        # Some calls prefix the host (`sync-`), which no local name answers to.
        config = Config(**{"inject_host_prefix": False, "s3": {"addressing_style": "path"}, **settings})
        return session.client(service, config=config)

    def credentials(self) -> tuple[str, str]:
        """Access key and secret, for whoever signs a request without boto3."""
        return self.access_key, self.secret_key


def administrator(endpoint: str, key: Key) -> Session:
    """Root of a local cloud."""
    return Session(endpoint, key.access_key, key.secret_key)
