"""Predictions for the rows of a request, by the loaded versions of a model.

`predict` answers live requests with it, and `stage` replays test rows through it. It knows neither HTTP nor caches.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from modelcycle.faults import BadRequest, NotAllowed
from modelcycle.model import scoring
from modelcycle.model.columns import shortest_decimal
from modelcycle.model.request import instances_of
from modelcycle.model.routing import entity_key, version_for
from modelcycle.model.scoring import Scorer
from modelcycle.model.signature import Signature
from modelcycle.registry import Route, Version
from modelcycle.spec import Capture
from modelcycle.store import Store


@dataclass(frozen=True)
class LoadedVersion:
    """A version in memory, ready to score; `capture` says which of its answers are captured, and what of them."""

    version: int
    signature: Signature
    scorer: Scorer
    capture: Capture = field(default_factory=Capture)


@dataclass(frozen=True)
class Answer:
    """The predictions of one request; every list has one element per row, in the order of the request.

    Parameters
    ----------
    contract : signature of the champion; the request was read by it
    version : the version that answered all rows; the champion where several did
    versions : that answered each row
    probabilities : by class name; None for regression
    texts : each instance as JSON with sorted keys, written once for ids, entities and captures
    assigned : the version that the route named for each row; another one answered where that one failed
    failures : by version, why it did not answer its rows: the class name of the error
    milliseconds : by version, the time to read and score its rows
    """

    contract: Signature
    model: str
    version: int
    versions: list[int]
    ids: list[str]
    predictions: list[str | float]
    probabilities: list[dict[str, float] | None]
    instances: list[dict[str, Any]]
    texts: list[str]
    assigned: list[int]
    failures: dict[int, str]
    milliseconds: dict[int, float]

    def wire(self) -> dict[str, Any]:
        """Return the JSON object that a client receives; `versions` only if several versions answered."""
        answer: dict[str, Any] = {
            "model": self.model,
            "version": self.version,
            "prediction_ids": self.ids,
            "predictions": self.predictions,
            "probabilities": self.probabilities if any(self.probabilities) else None,
        }
        return answer | ({"versions": self.versions} if len(set(self.versions)) > 1 else {})

    def records(self, at: datetime) -> Iterator[dict[str, Any]]:
        """Yield one JSON object per row, as it is captured for monitoring, rollouts and feedback.

        `ms` is the time in which `version` scored its rows of this request, `of` how many those are. `assigned` and
        `failure` are there only where the version that the route named did not answer.
        """
        of = Counter(self.versions)
        for row, prediction_id in enumerate(self.ids):
            version, assigned = self.versions[row], self.assigned[row]
            failed = {"assigned": assigned, "failure": self.failures.get(assigned, "")} if assigned != version else {}
            yield failed | {
                "prediction_id": prediction_id,
                "at": at.isoformat(),
                "model": self.model,
                "version": version,
                "ms": self.milliseconds.get(version, 0.0),
                "of": of[version],
                "instance": self.instances[row],
                "prediction": self.predictions[row],
                "probabilities": self.probabilities[row],
            }


def load_version(version: Version, artifacts: Store) -> LoadedVersion:
    """Load a registered version; the hashes of its artifacts are checked.

    Raises
    ------
    Tampered, Unknown, Transient, Throttled : see `Store.read`
    """
    signature = Signature.model_validate_json(artifacts.read(version.signature))
    return LoadedVersion(version.version, signature, Scorer(signature, artifacts.read(version.onnx)), version.capture)


def answer(request: Any, route: Route, loaded: Mapping[int, LoadedVersion], key: str) -> Answer:
    """Score the rows of a request, each by the version that the route assigns to its entity.

    The request must fit the champion's signature. Rows that do not fit the signature of a newer version, which may have
    other columns, are answered by the champion, so that a rollout never fails a request.

    Parameters
    ----------
    request : parsed JSON, see `parse_request`
    loaded : by version number, at least the versions with a weight
    key : identifies the request. The same key, row and version give the same prediction id.

    Raises
    ------
    BadRequest : names every wrong field by JSON pointer
    TooLarge : more than `MAX_REQUEST_ROWS` rows
    NotAllowed : the route has no version
    """
    instances = instances_of(request)
    if route.champion is None:
        raise NotAllowed("the model has no live version", "", "see `modelcycle show MODEL`")
    contract = loaded[route.champion].signature
    columns = contract.read(instances)
    model = contract.model
    versions = [route.champion] * len(instances)
    if len(route.weights) > 1:
        entities = (entity_key(instance, contract.id_columns) for instance in instances)
        versions = [version_for(model, route.weights, entity) for entity in entities]
    assigned = list(versions)
    failures: dict[int, str] = {}
    milliseconds: dict[int, float] = {}
    predictions: list[Any] = [None] * len(instances)
    probabilities: list[dict[str, float] | None] = [None] * len(instances)
    # the champion comes last: it answers what the others cannot read
    for number in sorted({*versions, route.champion}, key=lambda version: version == route.champion):
        rows = [row for row, version in enumerate(versions) if version == number]
        if not rows:
            continue
        started = time.perf_counter()
        version, batch = loaded[number], columns.take(np.array(rows))
        if number != route.champion:
            try:
                batch = version.signature.read([instances[row] for row in rows])
            except BadRequest as error:
                failures[number] = type(error).__name__
                for row in rows:
                    versions[row] = route.champion
                continue
        scores = version.scorer.scores(batch)
        for row, prediction, score in zip(rows, scoring.predictions(scores, version.signature), scores, strict=True):
            predictions[row] = prediction
            if version.signature.task != "regression":
                probabilities[row] = dict(zip(version.signature.classes, map(shortest_decimal, score), strict=True))
        milliseconds[number] = (time.perf_counter() - started) * 1000
    texts = [json.dumps(instance, sort_keys=True) for instance in instances]
    ids = [_prediction_id(model, version, key, row, texts[row]) for row, version in enumerate(versions)]
    answered_by = versions[0] if len(set(versions)) == 1 else route.champion
    return Answer(
        contract, model, answered_by, versions, ids, predictions, probabilities, instances, texts, assigned, failures,
        milliseconds,
    )  # fmt: skip


def _prediction_id(model: str, version: int, key: str, row: int, text: str) -> str:
    content = f"{json.dumps([model, version, key, row])[:-1]}, {text}]"
    return hashlib.sha256(content.encode()).hexdigest()[:32]
