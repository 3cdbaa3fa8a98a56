"""One execution of the lifecycle as steps: which have started, which have ended, and their results."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from cli.place import Place
from cli.run_costs import CallLog

Status = Literal["running", "done", "cached", "refused", "failed"]

# the steps that people see, each with its states in the state machine; the last state ends the step
STEPS: dict[str, tuple[str, ...]] = {
    "pull": ("Pull",),
    "collect": ("CollectInContainer", "Collect"),
    "preprocess": ("PreprocessInContainer", "Preprocess"),
    "engineer_features": ("EngineerFeaturesInContainer", "EngineerFeatures"),
    "train": ("PlanTrials", "Train", "SelectModelInContainer", "SelectModel"),
    "score_candidate": ("FindUnseenInContainer", "FindUnseen", "ScoreCandidateInContainer", "ScoreCandidate"),
    "validate": ("Validate",),
    "refit": ("Refit", "RefitInContainer", "CheckRefitInContainer", "CheckRefit"),
    "govern": ("Govern",),
    "register": ("Register",),
    "stage": ("Stage",),
    "deploy": ("Deploy",),
}
STEP_OF = {state: step for step, states in STEPS.items() for state in states}
RESULT_KEYS = {  # where a state puts its result
    "Pull": "pull", "Collect": "collect", "Preprocess": "preprocess", "EngineerFeatures": "engineer_features",
    "PlanTrials": "plan_trials", "Train": "trials", "SelectModel": "select_model", "FindUnseen": "find_unseen",
    "ScoreCandidate": "score_candidate", "Validate": "validate", "Refit": "refitted", "CheckRefit": "refit",
    "Govern": "govern", "Register": "register", "Stage": "stage", "Deploy": "deploy",
}  # fmt: skip

REFIT_CAUGHT = ("RefitTooLarge", "RefitUnchecked")  # the states after a refit, or its check, that was caught
BEGIN_AND_END = "begin and end"  # Claim and the states that conclude a run belong to no step
EVENTS_PER_PAGE = 10  # each event holds all messages so far, and most refreshes find at most one new event


@dataclass
class Step:
    """A step of an execution; `results` are the messages of all states up to this one, as JSON, by their keys."""

    name: str
    started: datetime
    ended: datetime | None = None
    status: Status = "running"
    results: dict[str, Any] = field(default_factory=dict)
    in_container: str = ""  # why a container does it

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs."""
        return (self.ended - self.started).total_seconds() if self.ended else None


class Execution:
    """An execution of the lifecycle; `refresh` reads what is new.

    Attributes
    ----------
    steps : by name, in the order in which they started
    claim : the result of the state Claim
    late_uploads : files that arrived too late for this run; the next run includes them
    error, cause : of a failed execution
    calls : of functions so far
    transitions : states that were entered so far, those of trials included
    """

    def __init__(self, place: Place, arn: str) -> None:
        self.place = place
        self.arn = arn
        self.steps: dict[str, Step] = {}
        self.claim: dict[str, Any] = {}
        self.late_uploads = 0
        self.status = "RUNNING"
        self.error = self.cause = ""
        self.started: datetime | None = None
        self.ended: datetime | None = None
        self.calls = CallLog()
        self.transitions = 0
        self._trials_entered = False
        self._last_event = 0
        self._step_now = BEGIN_AND_END  # trials run in parallel, all in the same step

    @property
    def is_over(self) -> bool:
        return self.status not in ("RUNNING", "PENDING_REDRIVE")

    @property
    def results(self) -> dict[str, Any]:
        """The messages of all states, by their keys."""
        return {key: message for step in self.steps.values() for key, message in step.results.items()}

    def refresh(self) -> None:
        """Read what is new. The status is read before the events, so that a finished execution has all of them."""
        description = self.place.states.describe_execution(executionArn=self.arn)
        for event in self._new_events():
            self._apply(event)
        self.status = description["status"]
        self.error, self.cause = description.get("error") or "", description.get("cause") or ""
        self.started, self.ended = description["startDate"], description.get("stopDate")
        if self.is_over:
            for step in self.steps.values():
                if step.status == "running":
                    step.status, step.ended = "failed", self.ended

    def _new_events(self) -> list[dict[str, Any]]:
        """Return new events, oldest first. They are read newest first, so that old ones are not read again."""
        events: list[dict[str, Any]] = []
        request: dict[str, Any] = {"executionArn": self.arn, "reverseOrder": True, "maxResults": EVENTS_PER_PAGE}
        while True:
            page = self.place.states.get_execution_history(**request)
            new = [event for event in page["events"] if event["id"] > self._last_event]
            events += new
            if len(new) < len(page["events"]) or not page.get("nextToken"):
                break
            request["nextToken"] = page["nextToken"]
        events.sort(key=lambda event: int(event["id"]))
        if events:
            self._last_event = events[-1]["id"]
        return events

    def _apply(self, event: dict[str, Any]) -> None:
        entered, exited = event.get("stateEnteredEventDetails"), event.get("stateExitedEventDetails")
        if entered and (entered["name"] in STEP_OF or entered["name"].startswith("Conclude")):
            self._step_now = STEP_OF.get(entered["name"], BEGIN_AND_END)
        self.calls.add(event, self._step_now)
        if entered:
            self.transitions += 1
            self._trials_entered |= entered["name"] == "RunTrial"
        elif exited and exited["name"] == "Train" and not self._trials_entered:
            # a local cloud has no events of Map iterations, which have one state each
            self.transitions += len(_json_object(exited.get("output")).get("trials") or [])
        if entered and entered["name"] in STEP_OF:
            name = STEP_OF[entered["name"]]
            self.steps.setdefault(name, Step(name, event["timestamp"]))
        elif exited and exited["name"] == "Claim":
            self.claim = _json_object(exited.get("output"))
        elif exited and exited["name"].startswith("Conclude"):
            self.late_uploads = _json_object(exited.get("output")).get("conclude", {}).get("folded", 0)
        elif exited and exited["name"] in REFIT_CAUGHT:
            # the run goes on with the judged model, and the line of the refit says why
            self._leave_state("CheckRefit", _json_object(exited.get("output")), event["timestamp"])
        elif exited and exited["name"] in RESULT_KEYS:
            self._leave_state(exited["name"], _json_object(exited.get("output")), event["timestamp"])

    def _leave_state(self, state: str, output: dict[str, Any], at: datetime) -> None:
        step = self.steps[STEP_OF[state]]
        step.results = {key: output[key] for key in RESULT_KEYS.values() if key in output}
        result = output.get(RESULT_KEYS[state])
        if isinstance(result, dict) and "handed_over" in result:
            step.in_container = result["why"]
            return
        failed = result is None  # a Catch puts the error elsewhere
        if failed:
            step.results["error"] = output.get("error")
        if failed or state == STEPS[step.name][-1]:
            step.ended = at
            step.status = "failed" if failed else _status_of(result)
            if step.in_container and step.status == "cached":
                step.status = "done"  # the function found what the container had done for this run


def _status_of(result: Any) -> Status:
    if isinstance(result, dict):
        if "refused" in (result.get("verdict"), result.get("decision")):
            return "refused"
        if result.get("cached"):
            return "cached"
    return "done"


def _json_object(text: str | None) -> dict[str, Any]:
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}
