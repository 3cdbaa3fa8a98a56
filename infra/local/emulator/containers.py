"""Containers as plain processes: `ecs:runTask.sync` and `sagemaker:createTrainingJob.sync` of state machines.

MiniStack 1.5.33 runs tasks of ECS in Docker, and without it leaves them running for ever; it has no SageMaker. Here the
program of `infra/container` runs with the packages of the functions' layers, the variables of the task, and the
credentials of its role, which are enforced. A request is refused that botocore's model of the service does not allow.
What a task's memory and disk are is not enforced. A process ends with the emulator, also when it is killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.local.fork_plans import RUNTIME, ForkPlan, read_plans

START_PROGRAM = RUNTIME / "start_container.py"
PROGRAM = Path(__file__).resolve().parents[2] / "container" / "run_step.py"
RUN_TASK = "arn:aws:states:::ecs:runTask"
CREATE_TRAINING_JOB = "arn:aws:states:::sagemaker:createTrainingJob"
FAILED = "States.TaskFailed"
OPERATIONS = {RUN_TASK: ("ecs", "RunTask"), CREATE_TRAINING_JOB: ("sagemaker", "CreateTrainingJob")}


class Containers:
    """Runs tasks and training jobs.

    Parameters
    ----------
    flows : MiniStack's service of Step Functions
    ecs : its service of ECS
    runtime : its module that gives functions the credentials of their roles
    home : folder of the local cloud
    """

    def __init__(self, flows: Any, ecs: Any, runtime: Any, home: Path) -> None:
        self._flows, self._ecs, self._runtime, self._home = flows, ecs, runtime, home
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def install(self) -> None:
        """Replace MiniStack's own handler, and add that of training jobs."""
        self._flows._SERVICE_DISPATCH |= {RUN_TASK: self._run_task, CREATE_TRAINING_JOB: self._run_training_job}

    def stop(self) -> None:
        """End all processes."""
        with self._lock:
            for process in self._running:
                process.terminate()  # the program ends its own process

    def _run_task(self, resource: str, given: dict[str, Any]) -> dict[str, Any]:
        """Run the first container of a task definition."""
        request = self._flows._pascal_to_camel(given)
        self._check(RUN_TASK, request)
        # as a record: there is no Docker to run it
        status, _, body = self._ecs._run_task(request)
        answer = json.loads(body)
        if status >= 400 or not answer["tasks"]:
            raise self._flows._ExecutionError("ECS.AmazonECSException", answer.get("message", str(answer)))
        arn = answer["tasks"][0]["taskArn"]
        task = self._ecs._tasks[arn]
        definition = self._ecs._task_defs[self._ecs._resolve_td_key(request["taskDefinition"])]
        container = definition["containerDefinitions"][0]
        overrides = request.get("overrides") or {}
        variables = {entry["name"]: entry["value"] for entry in container.get("environment", [])}
        for override in overrides.get("containerOverrides", []):
            if override["name"] == container["name"]:
                variables |= {entry["name"]: entry["value"] for entry in override.get("environment", [])}
        role = overrides.get("taskRoleArn") or definition.get("taskRoleArn", "")
        log = self._task_log(container, arn.rpartition("/")[2])
        exit_status = self._run(arn.rpartition("/")[2], role, variables, log)
        reason = "Essential container in task exited"
        self._ecs._mark_task_stopped(arn, task, reason, "EssentialContainerExited", exit_status)
        if exit_status:
            self._fail(f"{reason} with status {exit_status}: see the log of the container")
        return {"TaskArn": arn, "LastStatus": "STOPPED", "StopCode": "EssentialContainerExited"}

    def _run_training_job(self, resource: str, given: dict[str, Any]) -> dict[str, Any]:
        self._check(CREATE_TRAINING_JOB, given)
        name = given["TrainingJobName"]
        exit_status = self._run(name, given["RoleArn"], given.get("Environment", {}), print)
        if exit_status:
            self._fail(f"AlgorithmError: , exit code: {exit_status}")
        return {"TrainingJobName": name, "TrainingJobStatus": "Completed"}

    def _check(self, resource: str, request: dict[str, Any]) -> None:
        """Refuse what botocore would not send."""
        from botocore.exceptions import ParamValidationError
        from botocore.session import get_session
        from botocore.validate import validate_parameters

        service, operation = OPERATIONS[resource]
        shape = get_session().get_service_model(service).operation_model(operation).input_shape
        try:
            validate_parameters(request, shape)
        except ParamValidationError as error:
            raise self._flows._ExecutionError("States.Runtime", str(error)) from None

    def _fail(self, cause: str) -> None:
        raise self._flows._ExecutionError(FAILED, json.dumps({"StoppedReason": cause}))

    def _run(self, name: str, role: str, variables: dict[str, str], log: Callable[[str], None]) -> int:
        """Run the program until it ends, and return its exit status."""
        from ministack.core.responses import get_account_id, get_region

        plans = read_plans(self._home)
        if not plans:
            self._fail("ResourceInitializationError: no function has been deployed, whose packages a container has")
        # of the shape of a function, of which MiniStack knows how to give it credentials
        function = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{name}"
        credentials = self._runtime.execution_credentials({"FunctionArn": function, "FunctionName": name, "Role": role})
        environment = (
            {key: os.environ[key] for key in ("PATH", "LC_ALL", "AWS_ENDPOINT_URL")}
            | plans[0].environment()
            | {"PYTHONPATH": packages(plans), "AWS_DEFAULT_REGION": get_region(), "HOME": plans[0].scratch}
            | variables
            | credentials
        )
        python = plans[0].python
        process = subprocess.Popen(
            [python, "-I", "-S", str(START_PROGRAM), python, str(PROGRAM)], env=environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        with self._lock:
            self._running.add(process)
        try:
            assert process.stdout is not None
            for line in process.stdout:
                log(line.decode(errors="replace").rstrip("\n"))
            return process.wait()
        finally:
            with self._lock:
                self._running.discard(process)

    def _task_log(self, container: dict[str, Any], name: str) -> Callable[[str], None]:
        """Return what writes a line to the log group of a container."""
        config = self._ecs._awslogs_config(container, name, name)
        if not config:
            return print
        self._ecs._ensure_awslogs_stream(config)
        return lambda line: self._ecs._emit_awslogs_event(config, line)


def packages(plans: list[ForkPlan]) -> str:
    """Return the folders of all layers, as PYTHONPATH.

    >>> packages([ForkPlan("python", "/a:/b", "/tmp", (), ()), ForkPlan("python", "/a:/c", "/tmp", (), ())])
    '/a:/b:/c'
    """
    return os.pathsep.join(dict.fromkeys(folder for plan in plans for folder in plan.path.split(os.pathsep)))
