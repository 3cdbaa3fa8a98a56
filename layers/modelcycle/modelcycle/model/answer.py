"""From a request's body to its answer: the path that a live request takes, and the one that `stage` rehearses.

Nothing here knows HTTP, a cache or a bucket's name. A request holds `{"instances": [{column: value}, ...]}`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from modelcycle.faults import BadRequest, NotAllowed, TooLarge
from modelcycle.model import scoring
from modelcycle.model.routing import entity_key, version_for
from modelcycle.model.scoring import Scorer, shortest_decimal
from modelcycle.model.signature import MAX_REQUEST_ERRORS, Signature
from modelcycle.registry import Route, Version
from modelcycle.store import Store

LARGEST_BODY = 3 * 2**20  # bytes: Lambda takes 6 MB, and the proxy event escapes the body inside it
LARGEST_ANSWER = 5 * 2**20  # bytes: a larger one would come out of API Gateway as a 502
MOST_ROWS = 1_000
MOST_DIGITS = 400  # of an integer; no float has more, and Python takes quadratic time to read them


@dataclass(frozen=True)
class Served:
    """A version in memory."""

    version: int
    signature: Signature
    scorer: Scorer


@dataclass(frozen=True)
class Answer:
    """Row by row, in the order of the request. `version` is the one of all rows, or the champion's of several.

    `contract` is the champion's signature, by which the request was read.
    """

    contract: Signature
    model: str
    version: int
    versions: list[int]
    ids: list[str]
    predictions: list[str | float]
    probabilities: list[dict[str, float] | None]
    instances: list[dict[str, Any]]

    def wire(self) -> dict[str, Any]:
        """The answer as JSON types; `versions` only where the batch met more than one, no probabilities of a value."""
        answer: dict[str, Any] = {
            "model": self.model,
            "version": self.version,
            "prediction_ids": self.ids,
            "predictions": self.predictions,
            "probabilities": self.probabilities if any(self.probabilities) else None,
        }
        return answer | ({"versions": self.versions} if len(set(self.versions)) > 1 else {})

    def records(self, at: datetime) -> Iterator[dict[str, Any]]:
        """What is kept of each row for the monitor and for feedback."""
        for row, prediction_id in enumerate(self.ids):
            yield {
                "prediction_id": prediction_id,
                "at": at.isoformat(),
                "model": self.model,
                "version": self.versions[row],
                "instance": self.instances[row],
                "prediction": self.predictions[row],
                "probabilities": self.probabilities[row],
            }


def load(version: Version, artifacts: Store) -> Served:
    """A registered version, its bytes proved by their hashes.

    Raises
    ------
    Tampered, Unknown, Transient, Throttled : as the store says
    """
    signature = Signature.model_validate_json(artifacts.read(version.signature))
    return Served(version.version, signature, Scorer(signature, artifacts.read(version.onnx)))


def parse(body: bytes | str | None) -> Any:
    """The JSON of a body. NaN, Infinity and a key that stands twice are not JSON here.

    Raises
    ------
    BadRequest, TooLarge
    """
    if not body:
        raise BadRequest("the body is empty", "", 'send {"instances": [{column: value}, ...]}')
    size = len(body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
    if size > LARGEST_BODY:
        raise TooLarge(
            f"the body has {size:,} bytes, {LARGEST_BODY:,} at most", "", "send fewer rows in each of several requests"
        )
    try:
        return json.loads(
            body, parse_constant=_no_number, parse_float=_finite, parse_int=_whole, object_pairs_hook=_unique
        )
    except RecursionError:
        raise BadRequest("the body is nested too deeply", "", "send an object with a list of flat rows") from None
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}", "", "send UTF-8 JSON") from None


def answer(request: Any, route: Route, served: Mapping[int, Served], key: str) -> Answer:
    """Score a request's rows, each by the version that the route gives its entity.

    The champion's signature is the model's contract: a request is read by it whole. Rows that a newcomer cannot read
    (it may know other columns) are answered by the champion, so that no rollout loses a request.

    Parameters
    ----------
    served : the loaded versions, at least those with a weight
    key : what makes the request what it is; the same key, row and version give the same prediction id

    Raises
    ------
    BadRequest : names every wrong field by JSON pointer
    TooLarge : more than `MOST_ROWS` rows
    NotAllowed : the route names no version
    """
    instances = _instances(request)
    if route.champion is None:
        raise NotAllowed("the model has no live version", "", "see `modelcycle show MODEL`")
    champion = served[route.champion]
    columns = champion.signature.read(instances)
    model = champion.signature.model
    versions = [route.champion] * len(instances)
    if len(route.weights) > 1:
        whose = (entity_key(instance, champion.signature.id_columns) for instance in instances)
        versions = [version_for(model, route.weights, one) for one in whose]
    predictions: list[Any] = [None] * len(instances)
    probabilities: list[dict[str, float] | None] = [None] * len(instances)
    # the champion comes last: it takes what the others hand back
    for version in sorted(set(versions) | {route.champion}, key=lambda one: one == route.champion):
        rows = [row for row, of in enumerate(versions) if of == version]
        if not rows:
            continue
        by, theirs = served[version], columns.take(np.array(rows))
        if version != route.champion:
            try:
                theirs = by.signature.read([instances[row] for row in rows])
            except BadRequest:
                for row in rows:
                    versions[row] = route.champion
                continue
        scores = by.scorer.scores(theirs)
        for row, label, score in zip(rows, scoring.predictions(scores, by.signature), scores, strict=True):
            predictions[row] = label
            if by.signature.task != "regression":
                probabilities[row] = dict(zip(by.signature.classes, map(shortest_decimal, score), strict=True))
    ids = [_id(model, version, key, row, instances[row]) for row, version in enumerate(versions)]
    named = versions[0] if len(set(versions)) == 1 else route.champion
    return Answer(champion.signature, model, named, versions, ids, predictions, probabilities, instances)


def _instances(request: Any) -> list[dict[str, Any]]:
    if not isinstance(request, dict):
        raise _wrong("", 'an object is expected: {"instances": [{column: value}, ...]}')
    wrong = [(f"/{key}", "no such field; only instances is known") for key in request if key != "instances"]
    if "instances" not in request:
        wrong.append(("/instances", "the field is missing: a list of rows, each {column: value}"))
    if wrong:
        raise _wrong(*wrong[0], *wrong[1:MAX_REQUEST_ERRORS])
    instances = request["instances"]
    if isinstance(instances, list) and len(instances) > MOST_ROWS:
        raise TooLarge(
            f"the request has {len(instances):,} rows, {MOST_ROWS:,} at most", "/instances",
            "send them in several requests", [{"pointer": "/instances", "detail": f"{MOST_ROWS:,} rows at most"}],
        )  # fmt: skip
    return instances  # type: ignore[no-any-return]  # Signature.read holds it against the fields


def _wrong(pointer: str, detail: str, *more: tuple[str, str]) -> BadRequest:
    errors = [{"pointer": place, "detail": text} for place, text in ((pointer, detail), *more)]
    return BadRequest(detail if not pointer else f"{pointer}: {detail}", pointer, "", errors)


def _id(model: str, version: int, key: str, row: int, instance: dict[str, Any]) -> str:
    told = json.dumps([model, version, key, row, instance], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON number; null stands for no value")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return value


def _whole(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError("a number is too large")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found
