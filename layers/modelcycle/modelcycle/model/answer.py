"""Predictions for the rows of a request, by the loaded versions of a model.

`predict` answers live requests with it, and `stage` replays test rows through it. It knows neither HTTP nor caches.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from modelcycle.faults import NotAllowed
from modelcycle.model.loaded_version import LoadedVersion, load_version
from modelcycle.model.request import instances_of
from modelcycle.model.request_columns import RequestColumns
from modelcycle.model.routing import entity_key, version_for
from modelcycle.model.scored_rows import ScoredRows
from modelcycle.model.signature import Signature, request_columns
from modelcycle.registry import Route

__all__ = ["Answer", "LoadedVersion", "answer", "columns_of_request", "load_version"]


_to_json = json.JSONEncoder(sort_keys=True).encode


@dataclass(frozen=True)
class Answer:
    """The predictions of one request; every list has one element per row, in the order of the request.

    Parameters
    ----------
    contract : signature of the champion
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


def answer(request: Any, route: Route, loaded: Mapping[int, LoadedVersion], key: str) -> Answer:
    """Score the rows of a request, each by the version that the route assigns to its entity.

    Each version reads its own columns; see `RequestColumns` for those of the request. A row that its version cannot
    read or score is answered by another one that can: the champion, else the one with the largest share, else the
    previous version.

    Parameters
    ----------
    request : parsed JSON, see `parse_request`
    loaded : by version number, at least one that may answer
    key : identifies the request. The same key, row and version give the same prediction id.

    Raises
    ------
    BadRequest : no version can read a row; names every wrong field by JSON pointer, as the champion reads it
    TooLarge : more than `MAX_REQUEST_ROWS` rows
    NotAllowed : the route has no version
    Fault : no version can score a row
    """
    instances = instances_of(request)
    order = [loaded[number] for number in route.order if number in loaded]
    if not order:
        raise NotAllowed("the model has no live version", "", "see `modelcycle show MODEL`")
    champion = order[0].signature
    columns = columns_of_request(route, loaded)
    columns.check(instances)
    texts = [_to_json(instance) for instance in instances]
    rows = ScoredRows(instances, _assigned(champion, route, instances, texts))
    rows.score(order, columns)
    versions = rows.versions
    return Answer(
        contract=champion,
        model=champion.model,
        version=versions[0] if len(set(versions)) == 1 else order[0].version,
        versions=versions,
        ids=_prediction_ids(champion.model, versions, key, texts),
        predictions=rows.predictions,
        probabilities=rows.probabilities,
        instances=instances,
        texts=texts,
        assigned=rows.assigned,
        failures=rows.failures,
        milliseconds=dict(rows.milliseconds),
    )


def columns_of_request(route: Route, loaded: Mapping[int, LoadedVersion]) -> RequestColumns:
    """Return the columns that requests may and must have while the route's versions differ in theirs.

    Parameters
    ----------
    loaded : at least one version that may answer; those of the route that are not loaded do not count
    """
    numbers = route.order if route.shadow is None else [*route.order, route.shadow]
    return request_columns([loaded[number].signature for number in numbers if number in loaded])


def _assigned(champion: Signature, route: Route, instances: list[dict[str, Any]], texts: list[str]) -> list[int]:
    """Return the version that the route names for each row."""
    if len(route.weights) == 1:
        return list(route.weights) * len(instances)
    entities = (
        entity_key(instance, champion.id_columns, text) for instance, text in zip(instances, texts, strict=True)
    )
    return [version_for(champion.model, route.weights, entity) for entity in entities]


def _prediction_ids(model: str, versions: list[int], key: str, texts: list[str]) -> list[str]:
    """Return the id of each row: a hash of the JSON list [model, version, key, row, instance]."""
    heads = {version: json.dumps([model, version, key])[:-1] for version in set(versions)}
    contents = (
        f"{heads[version]}, {row}, {text}]" for row, (version, text) in enumerate(zip(versions, texts, strict=True))
    )
    return [hashlib.sha256(content.encode()).hexdigest()[:32] for content in contents]
