"""What all handlers share: reading the request, log lines that name the run, and metrics.

A handler then has what is specific to its step:

    @observed("stage", StageRequest.from_event, log=["verdict", "rows"], metrics=[Metric("RowsReplayed", "rows")])
    def handler(request: StageRequest) -> Staged:
        aws = adapters()
        return stage(request, artifacts=aws.artifacts, registry=aws.registry)
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from modelcycle.messages import Message
from modelcycle.workplace import HandOver

NAMESPACE = "ModelCycle"
Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


class Request(Protocol):
    """What every log line names: the model, and the run or version that the request is about."""

    @property
    def model(self) -> str: ...

    @property
    def correlation_id(self) -> str: ...


class Metric(NamedTuple):
    """A CloudWatch metric; `field` is the path of its value in the result, such as `onnx.bytes`."""

    name: str
    field: str
    unit: MetricUnit = MetricUnit.Count


RequestType = TypeVar("RequestType", bound=Request)


def observed(
    step: str,
    from_event: Callable[[Any], RequestType],
    *,
    log: Sequence[str] = (),
    metrics: Sequence[Metric] = (),
) -> Callable[[Callable[[RequestType], Message]], Handler]:
    """Turn a function that maps a request to a result into a Lambda handler.

    Work that belongs into a container (`workplace.HandOver`) is the result `HandedOver`.

    Parameters
    ----------
    step : name of the step, which is also Powertools' service name
    from_event : reads the request from the event; raises BadMessage for any other event
    log : fields of the result to log; none may hold a value of a row
    metrics : written in CloudWatch's embedded metric format if the step succeeds
    """
    logger = Logger(service=step)

    def decorate(work: Callable[[RequestType], Message]) -> Handler:
        @logger.inject_lambda_context(clear_state=True)
        @functools.wraps(work)
        def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            request = from_event(event)
            logger.append_keys(step=step, model=request.model)
            logger.set_correlation_id(request.correlation_id or context.aws_request_id)
            try:
                result = work(request)
            except HandOver as handed:
                logger.info(step, extra={"handed_over": handed.message.container, "why": handed.message.why})
                return handed.message.wire()
            logger.info(step, extra=result.model_dump(mode="json", include=set(log)))
            _send(step, result, metrics)
            return result.wire()

        return handler

    return decorate


def _send(step: str, result: Message, metrics: Sequence[Metric]) -> None:
    if not metrics:
        return
    sender = Metrics(namespace=NAMESPACE, service=step)
    for metric in metrics:
        sender.add_metric(metric.name, metric.unit, operator.attrgetter(metric.field)(result))
    sender.flush_metrics()
