"""The rehearsal: test rows as JSON requests of one row each, answered by the code that serves."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

import numpy as np

from modelcycle.faults import Fault
from modelcycle.model.answer import Answer, LoadedVersion, answer
from modelcycle.model.request import parse_request
from modelcycle.registry import Route
from modelcycle.stage.expected_answers import ExpectedAnswers

WARM_UP_CALLS = 5  # not timed: a live environment has made them long before
SUM_TOLERANCE = 1e-3  # of probabilities that add up to one; float32 over many classes
MAX_SENTENCES = 10  # of a report


@dataclass
class Rehearsal:
    """What was measured: `broken` are sentences about the contract, `unreadable` rows that the serving code refused."""

    rows: int = 0
    differences: int = 0
    milliseconds: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    unreadable: int = 0

    def quantile(self, share: float) -> float:
        """Return a quantile of the times in milliseconds; 0 without rows."""
        return float(np.quantile(self.milliseconds, share)) if self.milliseconds else 0.0

    def note(self, sentence: str) -> None:
        """Add a sentence about the contract, once."""
        if sentence not in self.broken and len(self.broken) < MAX_SENTENCES:
            self.broken.append(sentence)


def rehearse(served: LoadedVersion, expected: ExpectedAnswers) -> Rehearsal:
    """Replay test rows as requests and compare the answers with the scores of one batch.

    A difference means that a request enters the graph with other values than a training row: a date, a number or a text
    that JSON does not carry unchanged.
    """
    rehearsal, route = Rehearsal(), Route(weights={served.version: 100})
    bodies = [json.dumps({"instances": [instance]}).encode() for instance in expected.instances]
    for body in bodies[:WARM_UP_CALLS]:
        _call(served, route, body)
    for row, body in enumerate(bodies):
        started = time.perf_counter()
        outcome = _call(served, route, body)
        rehearsal.milliseconds.append((time.perf_counter() - started) * 1000)
        rehearsal.rows += 1
        if isinstance(outcome, Fault):
            rehearsal.unreadable += 1
            fault = f"{type(outcome).__name__}, {outcome.where or 'body'}"
            rehearsal.note(f"the serving code refuses a test row: {fault}")
            continue
        for sentence in _broken_contract(outcome, served):
            rehearsal.note(sentence)
        rehearsal.differences += expected.differs(row, outcome.predictions[0], outcome.probabilities[0])
    return rehearsal


def _call(served: LoadedVersion, route: Route, body: bytes) -> Answer | Fault:
    try:
        result = answer(parse_request(body), route, {served.version: served}, "stage")
    except Fault as fault:
        return fault
    json.dumps(result.wire(), allow_nan=False)  # part of the time of a request
    return result


def _broken_contract(result: Answer, served: LoadedVersion) -> list[str]:
    """Return what the answer to a request of one row does not have, as sentences."""
    wire, signature = result.wire(), served.signature
    sentences = []
    if wire["model"] != signature.model or wire["version"] != served.version or len(wire["predictions"]) != 1:
        sentences.append("an answer does not have the model, the version and one prediction for each row")
    if signature.task == "regression":
        if not isinstance(wire["predictions"][0], float) or not np.isfinite(wire["predictions"][0]):
            sentences.append("a prediction is not a finite number")
        return sentences
    probabilities = wire["probabilities"][0]
    if wire["predictions"][0] not in signature.classes:
        sentences.append("a prediction is not one of the classes")
    adds_up = abs(sum(probabilities.values()) - 1) <= SUM_TOLERANCE
    if set(probabilities) != set(signature.classes) or not adds_up:
        sentences.append("the probabilities are not one for each class, with a sum of one")
    return sentences
