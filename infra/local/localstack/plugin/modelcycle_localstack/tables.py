"""DynamoDB and its streams, answered by moto."""

from __future__ import annotations

from typing import Any

from localstack.services.plugins import Service, aws_provider


def _by_moto(api: type) -> Any:
    """Return a service whose every operation moto answers."""
    from localstack.services.moto import MotoFallbackDispatcher

    provider = type("MotoProvider", (api,), {})
    return Service.for_provider(provider(), dispatch_table_factory=MotoFallbackDispatcher)


@aws_provider(api="dynamodb", name="moto")
def dynamodb() -> Any:
    """Return the tables."""
    from localstack.aws.api.dynamodb import DynamodbApi

    return _by_moto(DynamodbApi)


@aws_provider(api="dynamodbstreams", name="moto")
def dynamodbstreams() -> Any:
    """Return the streams of changes."""
    from localstack.aws.api.dynamodbstreams import DynamodbstreamsApi

    return _by_moto(DynamodbstreamsApi)
