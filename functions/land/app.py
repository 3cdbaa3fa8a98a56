"""Lands the records of the stack's stream or queue as rows that `collect` reads."""

from functools import cache
from itertools import takewhile
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.common import DictWrapper
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.aws import adapters
from modelcycle.land import Lander, Record, StreamSources, read_arrival, read_delivery, read_record
from modelcycle.observability import NAMESPACE

logger = Logger(service="land")


@cache
def lander() -> tuple[Lander, StreamSources]:
    aws = adapters()
    return Lander(aws.data, aws.registry.streams), StreamSources(lambda key: aws.data.latest(key)[0])


def read(record: DictWrapper) -> Record:
    return read_record(read_arrival(record.raw_event), lander()[1])


@logger.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    delivery = read_delivery(event)
    kind = EventType.KinesisDataStreams if delivery.ordered else EventType.SQS
    processor = BatchProcessor(kind, raise_on_entire_batch_failure=False)
    with processor(event["Records"], read):
        results = processor.process()
    readable = takewhile(_succeeded, results) if delivery.ordered else filter(_succeeded, results)
    landed = lander()[0].land(delivery, [record for _, record, _ in readable])
    logger.info("land", extra={"step": "land", "stream": delivery.stream, **landed._asdict()})
    metrics = Metrics(namespace=NAMESPACE, service="land")
    metrics.add_metric("RowsLanded", MetricUnit.Count, landed.rows)
    metrics.add_metric("RecordsKeptBack", MetricUnit.Count, landed.kept_back)
    metrics.flush_metrics()
    if delivery.ordered and processor.exceptions:
        # the whole batch comes again, without what has landed; the local cloud would lose what a partial answer names
        raise processor.exceptions[0][1] or RuntimeError("a record failed")
    return processor.response()


def _succeeded(result: tuple[Any, ...]) -> bool:
    return bool(result[0] == "success")
