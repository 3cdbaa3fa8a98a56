"""Where a step does its work: in its function, or in a container with more time, memory and disk.

A function that is asked for a result that is not recorded, and that does not fit it, stores its request and returns
`HandedOver`. The state machine has a container do the step by the same code, which records the result; then it calls
the function again, which finds it. An error of the step is raised by the function as if it had failed itself.
"""

from __future__ import annotations

import builtins
import json
from typing import Any, Literal, NamedTuple, Protocol

from modelcycle import faults
from modelcycle.faults import BadData, BadPipeline, Fault, Unknown
from modelcycle.messages import Artifact, Assignment, ContainerOutcome, HandedOver, RunRequest

Where = Literal["auto", "function", "container"]
CONTAINER_SCALE = 30
"""How many times more a container takes than a function: 60 GB of memory and 200 GB of disk, instead of 2 and 4."""

RAISED_AGAIN = ("MemoryError",)  # beside the faults; the state machines know what to do without


class HandOver(Exception):
    """The work belongs into a container. `observability.observed` returns the message as the function's result."""

    def __init__(self, message: HandedOver) -> None:
        self.message = message
        super().__init__(message.why)


class Need(NamedTuple):
    """What the work of a step takes.

    Parameters
    ----------
    what : its size, for people, such as "120,000,000 values"
    megabytes : of memory, as it is expected; 0: less than any function has
    least_megabytes : with less than these it need not be tried
    exceeds : a limit of functions that it exceeds, such as "at most 2 GiB"; empty: none
    where : what the pipeline file says
    """

    what: str
    megabytes: float = 0
    least_megabytes: float = 0
    exceeds: str = ""
    where: Where = "auto"


class Objects(Protocol):
    """The part of a bucket that is needed here, see `store.S3Store`."""

    def put(self, key: str, body: bytes) -> Artifact: ...

    def latest(self, key: str) -> tuple[bytes, str | None]: ...


class Workplace:
    """The function or container in which a step runs.

    Parameters
    ----------
    objects : the artifact bucket
    code : version of the code
    megabytes : memory of this place; None: not bounded
    container : what takes over work here: fargate or sagemaker; none: nothing does
    is_container : whether this place is a container
    why : why this container does the work
    """

    def __init__(
        self, objects: Objects, code: str, *, megabytes: int | None = None, container: str = "none",
        is_container: bool = False, why: str = "",
    ) -> None:  # fmt: skip
        self.objects, self.code, self.megabytes = objects, code, megabytes
        self.container, self.is_container, self.why = container, is_container, why

    @property
    def scale(self) -> int:
        """By how much the limits of data are multiplied here."""
        return CONTAINER_SCALE if self.is_container else 1

    @property
    def hands_over(self) -> bool:
        """Whether there is something that takes work over."""
        return self.container != "none"

    @property
    def notes(self) -> list[str]:
        """What people should know of the place; kept with the result."""
        return [f"done in a container: {self.why}"] if self.is_container and self.why else []

    def takes(self, need: Need) -> Literal["function", "container"]:
        """Return where work is done; the same in the function that hands it over and in the container."""
        return "container" if self.is_container or self._reason(need) else "function"

    def done_elsewhere(self, step: str, area: str, request: RunRequest, mark: str, need: Need) -> dict[str, Any] | None:
        """Return the result of a container as JSON, or None: the work is to be done here.

        Parameters
        ----------
        area : the part of the run's folder that the step writes to
        mark : fingerprint of all that the result depends on

        Raises
        ------
        HandOver : a container has to do it first
        BadData, BadPipeline : nothing takes work over, or it does not fit the container either
        Fault : the error of the step in the container, by its own class
        """
        if self.is_container:
            self._check_fits_container(step, need)
            return None
        why = self._reason(need)
        if not why:
            return None
        if self.container == "none":
            self._refuse(step, need, why)
        return self._from_container(why, step, area, request, mark)

    def done_after(self, fault: BadData, step: str, area: str, request: RunRequest, mark: str) -> dict[str, Any]:
        """Return the result of a container for work that has outgrown this place while it was done.

        Parameters
        ----------
        fault : what the work has outgrown
        step, area, request, mark : as of `done_elsewhere`

        Raises
        ------
        HandOver, Fault : as `done_elsewhere`
        BadData : nothing takes work over from here
        """
        if self.is_container:
            raise fault
        if not self.hands_over:
            remedy = f"{fault.remedy}, or deploy the stack with LargeTraining (docs/large-data.md)"
            raise BadData(fault.what, fault.where, remedy) from fault
        return self._from_container(fault.what, step, area, request, mark)

    def _from_container(self, why: str, step: str, area: str, request: RunRequest, mark: str) -> dict[str, Any]:
        """Return the result of a container, raise its error, or hand the work over to one."""
        outcome_key = request.run.key(area, f"container-{mark[:16]}-outcome.json")
        outcome = self._outcome(outcome_key)
        if outcome is not None:
            if outcome.fault:
                raise _raised_again(outcome)
            assert outcome.result is not None
            return outcome.result
        assignment = Assignment(
            step=step, code=self.code, why=why, request=request.wire(), outcome_key=outcome_key
        )  # fmt: skip
        stored = self.objects.put(
            request.run.key(area, f"container-{mark[:16]}.json"),
            json.dumps(assignment.model_dump(mode="json"), sort_keys=True).encode(),
        )
        container: Any = self.container
        raise HandOver(HandedOver(model=request.run.model, step=step, container=container, why=why, handed_over=stored))

    def _reason(self, need: Need) -> str:
        """Return why a container does the work, as a sentence; empty if the function does."""
        if need.where == "function":
            return ""
        if need.where == "container":
            return "the pipeline file says training.where: container"
        if need.exceeds:
            return f"{need.what} are more than a function can do: {need.exceeds}"
        # where nothing takes it over, work is tried that may need less than expected
        needed = need.least_megabytes if self.container == "none" else need.megabytes
        if self.megabytes is not None and needed > self.megabytes:
            return f"{need.what} need about {needed:,.0f} MB of memory; the function has {self.megabytes:,}"
        return ""

    def _refuse(self, step: str, need: Need, why: str) -> None:
        if need.where == "container":
            raise BadPipeline(
                "training.where is container, and this stack has none", "training.where",
                "deploy it with LargeTraining=fargate or sagemaker, or write auto (docs/large-data.md)",
            )  # fmt: skip
        raise BadData(
            why, step,
            "deploy the stack with LargeTraining=fargate or sagemaker (docs/large-data.md), or keep fewer rows or"
            " columns",
        )  # fmt: skip

    def _check_fits_container(self, step: str, need: Need) -> None:
        if need.where == "auto" and self.megabytes is not None and need.least_megabytes > self.megabytes:
            raise BadData(
                f"{need.what} need about {need.least_megabytes:,.0f} MB of memory; the container has"
                f" {self.megabytes:,}", step,
                "deploy the stack with a larger container (docs/large-data.md), or keep fewer rows or columns",
            )  # fmt: skip

    def _outcome(self, key: str) -> ContainerOutcome | None:
        try:
            body, _ = self.objects.latest(key)
        except Unknown:
            return None
        return ContainerOutcome.model_validate_json(body)


def _raised_again(outcome: ContainerOutcome) -> Exception:
    """Return the error of a step in a container as the class that it had there."""
    if outcome.fault in RAISED_AGAIN:
        error: Exception = getattr(builtins, outcome.fault)(outcome.text)
        return error
    kind = getattr(faults, outcome.fault, None)
    if isinstance(kind, type) and issubclass(kind, Fault):
        return kind(*Fault.parse(outcome.text))
    return Fault(outcome.text, "container", "see the log of the container")
