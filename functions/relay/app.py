"""Carries the events of the registry from the table's stream to the bus."""

from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters
from modelcycle.relay import relay

logger = Logger(service="relay")
processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


def relay_record(record: DynamoDBRecord) -> None:
    event = relay(record.raw_event, bus=adapters().bus)
    if event:
        logger.set_correlation_id(event.id)
        run_id = str(event.detail.get("run_id") or "")
        logger.info("relay", extra={"step": "relay", "model": event.model, "kind": event.kind, "run_id": run_id})


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    return process_partial_response(event, relay_record, processor, context)
