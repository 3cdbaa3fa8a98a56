import json

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import cloud
from modelcycle.faults import Transient
from modelcycle.messages import Event

logger = Logger(service="relay")
processor = BatchProcessor(event_type=EventType.DynamoDBStreams)


def tell(record: dict) -> None:
    """Put one event record of the registry on the bus. Raised errors make the stream deliver it again."""
    image = record["dynamodb"].get("NewImage", {})
    if image.get("kind", {}).get("S") != "event":
        return
    event = Event.model_validate(json.loads(image["body"]["S"]))
    logger.set_correlation_id(event.id)
    if cloud().bus.put([event]):
        raise Transient("the bus did not take an event", event.kind)
    logger.info("relay", extra={"step": "relay", "model": event.model, "kind": event.kind})


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict, context: LambdaContext) -> dict:
    return process_partial_response(event, lambda record: tell(record.raw_event), processor, context)
