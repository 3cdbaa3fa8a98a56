"""A function's environment is a process: the `bootstrap` in its archive, as for Lambda's custom runtimes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from localstack import config
from localstack.services.lambda_.invocation.executor_endpoint import NAMESPACE, StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from modelcycle_localstack.runtime import Outcome, RuntimeApi

START_TIMEOUT = 60.0  # seconds; a function that imports scikit-learn on a busy machine takes some
STOP_TIMEOUT = 2.0  # seconds, as long as Lambda gives a process after SIGTERM
MAX_LOG_BYTES = 1024 * 1024  # of one invocation

_running: set[subprocess.Popen[bytes]] = set()
_versions_of: Counter[Path] = Counter()  # how many versions of functions use an unpacked archive, by its place
_archives_lock = threading.Lock()


def end_processes() -> None:
    """End the processes of all functions: LocalStack 4.14.0 stops with some of them still there."""
    for process in list(_running):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


class ProcessExecutor(RuntimeExecutor):
    """One environment of a function."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:  # noqa: A002 - as in the base class
        super().__init__(id, function_version)
        self._variables: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._api: RuntimeApi | None = None
        self._printed = bytearray()

    def start(self, env_vars: dict[str, str]) -> None:
        """Start the process and wait until it asks for work.

        Raises
        ------
        StatusErrorException : it ended before that
        """
        self._variables = {name: str(value) for name, value in env_vars.items()}
        self._start_process()

    def stop(self) -> None:
        """End the process; it may finish what it does after SIGTERM."""
        self._end_process(STOP_TIMEOUT)

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        """Return the result of one invocation; a process that has ended since the last one is started again."""
        request, started = payload["invoke-id"], time.monotonic()
        if self._process is None or self._process.poll() is not None:
            self._start_process()
        assert self._api
        self._printed.clear()
        try:
            outcome = self._api.invoke(payload)
        except TimeoutError:
            self._end_process(0.0)
            seconds = self.function_version.config.timeout
            message = f"RequestId: {request} Error: Task timed out after {seconds:.2f} seconds"
            outcome = Outcome(True, json.dumps({"errorType": "Sandbox.Timedout", "errorMessage": message}).encode())
        duration = (time.monotonic() - started) * 1000
        logs = (
            f"START RequestId: {request} Version: {self.function_version.id.qualifier}\n{self.get_logs()}"
            f"END RequestId: {request}\nREPORT RequestId: {request}\tDuration: {duration:.2f} ms\n"
        )
        return InvocationResult(request, outcome.body, is_error=outcome.is_error, logs=logs)

    def get_logs(self) -> str:
        """Return what the process has printed since the last invocation began."""
        return self._printed.decode(errors="replace")

    def get_address(self) -> str:
        return "127.0.0.1"

    def get_endpoint_from_executor(self) -> str:
        return "127.0.0.1"

    def get_runtime_endpoint(self) -> str:
        return f"http://127.0.0.1:{config.GATEWAY_LISTEN[0].port}{NAMESPACE}/{self.id}"

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        """Unpack the archive of a version that begins to be used."""
        code = function_version.config.code
        if code:
            with _archives_lock:
                _versions_of[code.get_unzipped_code_location()] += 1
                code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Delete the unpacked archive of a version that is no longer used, unless another version has the same one.

        A change of a function's settings alone makes such a version, which starts before the earlier one is stopped.
        """
        code = function_version.config.code
        if code:
            place = code.get_unzipped_code_location()
            with _archives_lock:
                _versions_of[place] -= 1
                if _versions_of[place] <= 0:
                    del _versions_of[place]
                    code.destroy_cached()

    def _start_process(self) -> None:
        self._end_process(0.0)
        with _archives_lock:
            self.function_version.config.code.prepare_for_execution()
        code = Path(self.function_version.config.code.get_unzipped_code_location())
        bootstrap = code / "bootstrap"
        if not bootstrap.is_file():
            raise _not_started("Runtime.InvalidEntrypoint", "the archive has no bootstrap: see docs/localstack.md")
        bootstrap.chmod(0o755)
        api = RuntimeApi(self.function_version.config.timeout)
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/tmp"),  # noqa: S108 - what Lambda has
            **self._variables,
            "AWS_LAMBDA_RUNTIME_API": api.address,
            "LAMBDA_TASK_ROOT": str(code),
        }
        process = subprocess.Popen(
            [str(bootstrap)], cwd=code, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        self._api, self._process = api, process
        _running.add(process)
        threading.Thread(target=self._watch, args=(process, api), daemon=True).start()
        try:
            error = api.started.result(timeout=START_TIMEOUT)
        except TimeoutError:
            self._end_process(0.0)
            raise _not_started("Sandbox.Timedout", f"it had not started after {START_TIMEOUT:.0f} s") from None
        if error is not None:
            raise StatusErrorException("Environment startup failed", payload=error)

    def _watch(self, process: subprocess.Popen[bytes], api: RuntimeApi) -> None:
        """Collect what a process prints, and report its end."""
        assert process.stdout
        for line in process.stdout:
            if len(self._printed) < MAX_LOG_BYTES:
                self._printed += line
        status = process.wait()
        _running.discard(process)
        api.process_ended(status)

    def _end_process(self, timeout: float) -> None:
        process, api = self._process, self._api
        self._process = self._api = None
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                if timeout:
                    os.killpg(process.pid, signal.SIGTERM)
                    process.wait(timeout)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if api is not None:
            api.close()


class ProcessExecutorPlugin(RuntimeExecutorPlugin):
    """Makes `LAMBDA_RUNTIME_EXECUTOR=process` known."""

    name = "process"

    def load(self, *args: Any, **kwargs: Any) -> type[ProcessExecutor]:
        return ProcessExecutor


def _not_started(kind: str, message: str) -> StatusErrorException:
    payload = json.dumps({"errorType": kind, "errorMessage": message}).encode()
    return StatusErrorException("Environment startup failed", payload=payload)
