"""What the handlers of all steps share: they read a request, name its run in every log line, and report figures.

A handler then only says what its step needs:

    @observed("collect", CollectRequest.from_event, metrics=[Metric("RowsCollected", "rows")])
    def handler(request: CollectRequest) -> Collected:
        ports = adapters()
        return collect(request, data=ports.data, artifacts=ports.artifacts, runs=ports.registry.runs, code=ports.code)
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

NAMESPACE = "ModelCycle"
Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


class Request(Protocol):
    """What a log line has to name: the model, and the run or version that the request is about."""

    @property
    def model(self) -> str: ...

    @property
    def correlation_id(self) -> str: ...


class Metric(NamedTuple):
    """A CloudWatch metric: `field` is the result's attribute that holds its value, dotted where it is nested."""

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
    """Turn a function from request to result into a Lambda handler.

    Parameters
    ----------
    step : name of the step; also Powertools' service name
    from_event : reads the request from the event; raises BadMessage
    log : fields of the result for the log line; they must hold no value of a row
    metrics : sent in CloudWatch's embedded metric format when the step has succeeded
    """
    logger = Logger(service=step)

    def decorate(work: Callable[[RequestType], Message]) -> Handler:
        @logger.inject_lambda_context(clear_state=True)
        @functools.wraps(work)
        def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            request = from_event(event)
            logger.append_keys(step=step, model=request.model)
            logger.set_correlation_id(request.correlation_id or context.aws_request_id)
            result = work(request)
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
