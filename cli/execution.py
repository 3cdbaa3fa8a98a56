"""One execution of the lifecycle, seen as its steps: what has begun, what has ended, and what each measured."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cli.place import Place

Status = Literal["running", "done", "cached", "refused", "failed"]

# states of the flow by the step that a person sees; the last state of a step is the one that ends it
STEPS: dict[str, tuple[str, ...]] = {
    "collect": ("Collect",),
    "preprocess": ("Preprocess",),
    "engineer_features": ("EngineerFeatures",),
    "train": ("PlanTrials", "Train", "SelectModel"),
    "score_candidate": ("ScoreCandidate",),
    "validate": ("Validate",),
    "govern": ("Govern",),
    "register": ("Register",),
    "stage": ("Stage",),
    "deploy": ("Deploy",),
}
STEP_OF = {state: step for step, states in STEPS.items() for state in states}
KEY_OF = {  # where a state leaves its result
    "Collect": "collect", "Preprocess": "preprocess", "EngineerFeatures": "engineer_features",
    "PlanTrials": "plan_trials", "Train": "trials", "SelectModel": "select_model", "ScoreCandidate": "score_candidate",
    "Validate": "validate", "Govern": "govern", "Register": "register", "Stage": "stage", "Deploy": "deploy",
}  # fmt: skip

PAGE = 10  # events of one answer: each holds all messages so far, and most looks find one new event or none


@dataclass
class Step:
    """`results` are the messages of all states up to this one, as JSON, by their keys."""

    name: str
    started: datetime
    ended: datetime | None = None
    status: Status = "running"
    results: dict[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        return (self.ended - self.started).total_seconds() if self.ended else None


class Execution:
    """An execution by its ARN. `refresh` reads what has happened since the last time."""

    def __init__(self, place: Place, arn: str) -> None:
        self.place = place
        self.arn = arn
        self.steps: dict[str, Step] = {}
        self.claim: dict[str, Any] = {}
        self.unseen = 0  # uploads that came too late for this run; another one sees them
        self.status = "RUNNING"
        self.error = self.cause = ""
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self._seen = 0

    @property
    def over(self) -> bool:
        return self.status not in ("RUNNING", "PENDING_REDRIVE")

    def refresh(self) -> None:
        """Read on. Asks for the status first, so that an execution that is over has all its events read."""
        told = self.place.states.describe_execution(executionArn=self.arn)
        for event in self._events():
            self._take(event)
        self.status = told["status"]
        self.error, self.cause = told.get("error") or "", told.get("cause") or ""
        self.started, self.ended = told["startDate"], told.get("stopDate")
        if self.over:
            for step in self.steps.values():
                if step.status == "running":
                    step.status, step.ended = "failed", self.ended

    def _events(self) -> list[dict[str, Any]]:
        """Events that were not seen yet, oldest first: read backwards, so that a long history is read once."""
        found: list[dict[str, Any]] = []
        request: dict[str, Any] = {"executionArn": self.arn, "reverseOrder": True, "maxResults": PAGE}
        while True:
            page = self.place.states.get_execution_history(**request)
            fresh = [event for event in page["events"] if event["id"] > self._seen]
            found += fresh
            if len(fresh) < len(page["events"]) or not page.get("nextToken"):
                break
            request["nextToken"] = page["nextToken"]
        found.sort(key=lambda event: event["id"])
        if found:
            self._seen = found[-1]["id"]
        return found

    def _take(self, event: dict[str, Any]) -> None:
        entered, exited = event.get("stateEnteredEventDetails"), event.get("stateExitedEventDetails")
        if entered and entered["name"] in STEP_OF:
            name = STEP_OF[entered["name"]]
            self.steps.setdefault(name, Step(name, event["timestamp"]))
        elif exited and exited["name"] == "Claim":
            self.claim = _json(exited.get("output"))
        elif exited and exited["name"].startswith("Conclude"):
            self.unseen = _json(exited.get("output")).get("conclude", {}).get("folded", 0)
        elif exited and exited["name"] in STEP_OF:
            self._left(exited["name"], _json(exited.get("output")), event["timestamp"])

    def _left(self, state: str, output: dict[str, Any], at: datetime) -> None:
        step = self.steps[STEP_OF[state]]
        step.results = {key: output[key] for key in KEY_OF.values() if key in output}
        result = output.get(KEY_OF[state])
        failed = result is None  # a Catch leaves its error elsewhere
        if failed:
            step.results["error"] = output.get("error")
        if failed or state == STEPS[step.name][-1]:
            step.ended = at
            step.status = "failed" if failed else _status(state, result)


def _status(state: str, result: Any) -> Status:
    if isinstance(result, dict):
        if "refused" in (result.get("verdict"), result.get("decision")):
            return "refused"
        if result.get("cached"):
            return "cached"
    return "done"


def _json(text: str | None) -> dict[str, Any]:
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}
