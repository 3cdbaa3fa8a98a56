"""The program of the container: does what a function has handed over, by the function's own code.

    python run_step.py

The variables ASSIGNMENT and ASSIGNMENT_SHA256 name the object that the function has stored (`messages.Assignment`).
IMAGE_CODE, which every image has, is the version of the code that it was built of: work of other code is refused.
The step runs in a process of its own: if the system kills that for its memory, this one is left to say so. It writes
the outcome, the step's error or a refusal included, to where the function looks for it, and ends with 0. It ends with
another status only if there is no outcome, because the assignment could not be read: the state machine then fails.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

FUNCTIONS = Path(__file__).resolve().parents[2] / "functions"
HANDLERS = {
    "collect": "collect/app.py",
    "preprocess": "preprocess/app.py",
    "engineer_features": "engineer_features/app.py",
    "find_unseen": "find_unseen/app.py",
    "score_candidate": "score_candidate/app.py",
    "run_trial": "train/run_trial.py",
    "select_model": "train/select_model.py",
    "refit": "refit/refit.py",
    "check_refit": "refit/check_refit.py",
}
"""The module of the handler of each step that a container does."""
RETRIED = ("Transient", "Throttled", "Raced")
MAX_ATTEMPTS = 4
FIRST_WAIT_SECONDS = 5.0
KILLED = -signal.SIGKILL


class Context:
    """What Powertools asks of the context that Lambda gives a function."""

    invoked_function_arn = ""

    def __init__(self, step: str) -> None:
        self.function_name = f"{step} in a container"
        self.memory_limit_in_mb = memory_megabytes()
        self.aws_request_id = os.environ.get("ASSIGNMENT_SHA256", "")[:32]


def memory_megabytes() -> int:
    """Return the memory of this container: the bound of its control group, or the machine's memory.

    >>> memory_megabytes() > 100
    True
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    bounds = [machine]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            bounds.append(int(Path(file).read_text()))
        except (OSError, ValueError):  # another version of control groups, or "max"
            continue
    return min(bounds) >> 20


def main(do: Callable[[Any], dict[str, Any]] | None = None) -> int:
    """Do the assignment; return the exit status.

    Parameters
    ----------
    do : runs the step and returns the outcome as JSON; by default, in a process of its own
    """
    from modelcycle.aws import adapters
    from modelcycle.messages import Artifact, Assignment, ContainerOutcome

    artifacts = adapters().artifacts
    stored = Artifact(uri=os.environ["ASSIGNMENT"], sha256=os.environ["ASSIGNMENT_SHA256"], bytes=0)
    assignment = Assignment.model_validate_json(artifacts.read(stored))

    def refuse(why: str) -> int:
        print(why, file=sys.stderr)
        outcome = ContainerOutcome(fault="Fault", text=f"{why}\ncontainer\nsee the log of the container")
        artifacts.put(assignment.outcome_key, outcome.model_dump_json().encode())
        return 0

    if assignment.step not in HANDLERS:
        return refuse(f"the container does not know the step {assignment.step}: deploy the stack and the image again")
    # IMAGE_CODE is of the image, the adapters' is of the task's definition; a plain process has no image
    for code in (os.environ.get("IMAGE_CODE", assignment.code), adapters().code):
        if code != assignment.code:
            return refuse(
                f"the container has code {code}, the functions have {assignment.code}: `make image` pushes"
                " the image of the deployed code"
            )
    for attempt in range(MAX_ATTEMPTS):
        try:
            outcome = ContainerOutcome.model_validate((do or _do)(assignment))
        except RuntimeError as error:
            return refuse(str(error))
        if outcome.fault not in RETRIED or attempt == MAX_ATTEMPTS - 1:
            break
        time.sleep(FIRST_WAIT_SECONDS * 2**attempt)
    artifacts.put(assignment.outcome_key, outcome.model_dump_json().encode())
    print(json.dumps({"step": assignment.step, "fault": outcome.fault, "peak_megabytes": outcome.peak_megabytes}))
    return 0


def _do(assignment: Any) -> dict[str, Any]:
    """Run the step in a process of its own; return the outcome as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        given, left = Path(folder) / "assignment.json", Path(folder) / "outcome.json"
        given.write_text(assignment.model_dump_json())
        variables = os.environ | {
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_megabytes()),
            "CONTAINER_REASON": assignment.why,
            "POWERTOOLS_METRICS_NAMESPACE": "ModelCycle",
            # one fit with several threads takes longer than with one, and gives other bytes
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        process = subprocess.Popen([sys.executable, __file__, str(given), str(left)], env=variables)
        stop_with_this(process)
        status = process.wait()
        if status == KILLED:
            text = (
                f"the step's process was killed in a container of {memory_megabytes():,} MB: most likely out of memory"
            )
            return {"fault": "MemoryError", "text": text}
        if status or not left.exists():
            raise RuntimeError(f"the step's process ended with status {status}: see the lines above")
        outcome: dict[str, Any] = json.loads(left.read_text())
        return outcome


def stop_with_this(process: subprocess.Popen[bytes]) -> None:
    """Hand SIGTERM on: ECS and SageMaker send it to the first process of a container alone."""

    def stop(number: int, _: FrameType | None) -> NoReturn:
        process.kill()
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, stop)


def work(given: Path, left: Path) -> None:
    """Run the handler of a step, as Lambda does, and write the outcome.

    Parameters
    ----------
    given : the file of the assignment
    left : the file to write
    """
    import resource

    from modelcycle.faults import Fault
    from modelcycle.messages import Assignment, ContainerOutcome

    assignment = Assignment.model_validate_json(given.read_text())
    try:
        outcome = ContainerOutcome(result=_handler(assignment.step)(assignment.request, Context(assignment.step)))
    except (Fault, MemoryError) as error:
        outcome = ContainerOutcome(fault=type(error).__name__, text=str(error))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform != "darwin" else 2**20)
    left.write_text(outcome.model_copy(update={"peak_megabytes": peak}).model_dump_json())


def _handler(step: str) -> Any:
    path = FUNCTIONS / HANDLERS[step]
    spec = importlib.util.spec_from_file_location(f"function_{step}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module.handler


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(Path(sys.argv[1]), Path(sys.argv[2]))
    else:
        sys.exit(main())
