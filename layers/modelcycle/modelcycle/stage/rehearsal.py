"""The rehearsal: test rows as JSON requests, one row each, through the very path of a live request."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modelcycle.faults import Fault
from modelcycle.model.answer import Answer, LoadedVersion, answer
from modelcycle.model.columns import Columns
from modelcycle.model.request import parse_request
from modelcycle.model.scoring import ScoreArray, predictions
from modelcycle.registry import Route

WARM_UP = 5  # calls that are not timed: a live environment has made them long before
SUM_TOLERANCE = 1e-3  # of probabilities that should add up to one; float32 over many classes
SAME = 1e-5  # a row alone and in a batch, relative: matrix products add up in another order


@dataclass
class Rehearsal:
    rows: int = 0
    differences: int = 0
    milliseconds: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)  # sentences, each once
    unreadable: int = 0

    def quantile(self, share: float) -> float:
        return float(np.quantile(self.milliseconds, share)) if self.milliseconds else 0.0


def rehearse(served: LoadedVersion, columns: Columns, scores: ScoreArray, rows: int) -> Rehearsal:
    """Replay `rows` rows, spread evenly; `scores`, of all rows in one batch, is what the answers are held to.

    A difference means that a request does not enter the graph as a training row does: a date, a number or a text that
    does not survive its way through JSON.
    """
    chosen: Any = (
        np.unique(np.linspace(0, columns.rows - 1, min(rows, columns.rows)).astype(int)) if columns.rows else []
    )
    replayed = columns.take(np.asarray(chosen, dtype=int))
    expected = scores[np.asarray(chosen, dtype=int)]
    labels = predictions(expected, served.signature)
    result, route = Rehearsal(), Route(weights={served.version: 100})
    bodies = [json.dumps({"instances": [instance]}).encode() for instance in served.signature.instances(replayed)]
    for body in bodies[:WARM_UP]:
        _call(served, route, body)
    for row, body in enumerate(bodies):
        started = time.perf_counter()
        outcome = _call(served, route, body)
        result.milliseconds.append((time.perf_counter() - started) * 1000)
        result.rows += 1
        if isinstance(outcome, Fault):
            result.unreadable += 1
            _note(result, f"the serving code refuses a test row: {type(outcome).__name__}, {outcome.where or 'body'}")
            continue
        for sentence in _contract(outcome, served):
            _note(result, sentence)
        result.differences += _differs(outcome, labels[row], expected[row])
    return result


def _call(served: LoadedVersion, route: Route, body: bytes) -> Answer | Fault:
    try:
        found = answer(parse_request(body), route, {served.version: served}, "stage")
    except Fault as fault:
        return fault
    json.dumps(found.wire(), allow_nan=False)  # part of what a request costs
    return found


def _contract(found: Answer, served: LoadedVersion) -> list[str]:
    wire, signature = found.wire(), served.signature
    broken = []
    if wire["model"] != signature.model or wire["version"] != served.version or len(wire["predictions"]) != 1:
        broken.append("an answer does not name the model, the version and one prediction a row")
    if signature.task == "regression":
        if not isinstance(wire["predictions"][0], float) or not np.isfinite(wire["predictions"][0]):
            broken.append("a prediction is no finite number")
        return broken
    shares = wire["probabilities"][0]
    if wire["predictions"][0] not in signature.classes:
        broken.append("a prediction is none of the classes")
    if set(shares) != set(signature.classes) or not abs(sum(shares.values()) - 1) <= SUM_TOLERANCE:
        broken.append("the probabilities are not one for each class, adding up to one")
    return broken


def _differs(found: Answer, label: str | float, expected: ScoreArray) -> bool:
    shares = found.probabilities[0]
    got = [found.predictions[0]] if shares is None else list(shares.values())
    close = np.allclose(np.array(got, dtype=np.float64), expected, rtol=SAME, atol=SAME)
    # a class may only differ where its probability stands on the threshold
    return not close or (shares is not None and found.predictions[0] != label and not _on_the_threshold(expected))


def _on_the_threshold(expected: ScoreArray) -> bool:
    first, second = np.sort(expected)[::-1][:2]
    return bool(first - second <= 2 * SAME)


def _note(result: Rehearsal, sentence: str) -> None:
    if sentence not in result.broken and len(result.broken) < 10:
        result.broken.append(sentence)
