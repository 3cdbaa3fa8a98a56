"""Creates the boto3 clients for the places `local` and `localstack`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from infra.local.keys import Key

REGION = "us-east-1"


@dataclass(frozen=True)
class ClientFactory:
    """Creates clients of one identity at one endpoint; its interface is that of `boto3.Session`."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region_name: str = REGION

    @classmethod
    def of(cls, endpoint: str, key: Key) -> ClientFactory:
        """Return the factory for the owner of a key."""
        return cls(endpoint, key.access_key, key.secret_key)

    def client(self, service: str, **settings: Any) -> Any:
        """Return a boto3 client; `settings` are arguments of botocore's Config (timeouts, retries)."""
        import localstack_client.session
        from botocore.config import Config

        # localstack-client would prefer the endpoint that the user has configured for other work
        configured_endpoint = os.environ.pop("AWS_ENDPOINT_URL", None)
        try:
            session = localstack_client.session.Session(
                aws_access_key_id=self.access_key,
                aws_secret_access_key=self.secret_key,
                region_name=self.region_name,
                localstack_host=self.endpoint.partition("://")[2],
            )
        finally:
            if configured_endpoint is not None:
                os.environ["AWS_ENDPOINT_URL"] = configured_endpoint
        # boto3 prefixes the host of some calls (`sync-`), and no local name resolves to that
        config = Config(**{"inject_host_prefix": False, "s3": {"addressing_style": "path"}, **settings})
        return session.client(service, config=config)

    def credentials(self) -> tuple[str, str]:
        """Return the access key and the secret key, for requests that are signed without boto3."""
        return self.access_key, self.secret_key
