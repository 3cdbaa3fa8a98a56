"""Calls one function by itself: the code in the project, the running local cloud behind it, the function's own role."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local import cloud
from infra.local.clients import REGION
from infra.local.deployment.code_hash import code_version
from infra.local.deployment.function_archive import python_path
from infra.local.deployment.layers import BASE_PYTHON, install_layer, install_runtime
from infra.local.deployment.translate import read_template
from infra.local.invocation.deployed_functions import (
    DeployedFunction,
    code_folder,
    credentials_of,
    deployed_functions,
    find_function,
    layer_folders,
)
from infra.local.invocation.events import Event, events_of, read_event
from infra.local.invocation.rie import invoke, under_rie
from infra.local.invocation.sam_files import save_events

Say = Callable[[str], None]


@dataclass(frozen=True)
class Call:
    """A call of a function.

    Parameters
    ----------
    answer : JSON
    seconds : from the event sent to the answer; of the first call of a process, with its start and imports
    """

    answer: Any
    seconds: float

    @property
    def error(self) -> str:
        """The class of the error that the function raised; empty if it answered."""
        return str(self.answer["errorType"]) if isinstance(self.answer, dict) and "errorType" in self.answer else ""


class FunctionHost:
    """Starts functions of the project against a running local cloud.

    Parameters
    ----------
    home : folder of the cloud's state; default `.modelcycle` in the project

    Attributes
    ----------
    functions : by their names in the template

    Raises
    ------
    CloudStopped
    """

    def __init__(self, home: Path | None = None) -> None:
        self.cloud = cloud.connect(home=home)
        self.home = cloud.home_folder(home)
        self.template = read_template(cloud.ROOT / "template.yaml")
        self.functions = deployed_functions(self.cloud.admin)
        self._code_version = code_version(cloud.ROOT)

    def find(self, asked: str) -> DeployedFunction:
        """Return the function that a person means; see `find_function`."""
        return find_function(self.functions, asked)

    def event(self, function: DeployedFunction, path: Path | None = None) -> Event:
        """Return the event in a file, else that of the function's last call, else the example.

        Raises
        ------
        EventUnusable
        """
        if path is not None:
            return Event(read_event(path), str(path), was_given=False)
        save_events(self.home)
        return events_of(self.functions, self.home, cloud.ROOT)[function.name]

    @contextmanager
    def started(self, function: DeployedFunction) -> Iterator[Callable[[Any], Call]]:
        """Run a function under the runtime interface emulator; yield what calls it. Its logs go to standard error."""
        command = [BASE_PYTHON, "-s", "-S", "-m", "awslambdaric", function.handler]
        folder = code_folder(function, self.template, cloud.ROOT)
        with tempfile.TemporaryDirectory(prefix="modelcycle-") as temporary:
            environment = self.environment(function, folder, Path(temporary))
            started = time.monotonic()  # the process starts with the emulator, and imports before the first event
            with under_rie(command, folder, environment, log=2) as (port, _):

                def call(event: Any) -> Call:
                    nonlocal started
                    began, started = started or time.monotonic(), 0.0
                    answer = invoke(port, json.dumps(event), function.timeout)
                    return Call(answer, time.monotonic() - began)

                yield call

    def environment(self, function: DeployedFunction, folder: Path, temporary: Path) -> dict[str, str]:
        """Return the variables of a function's process, as Lambda sets them; nothing of the person's own is in it."""
        layers = [install_layer(source, self.home) for source in layer_folders(function, self.template, cloud.ROOT)]
        path = python_path(layers, install_runtime(self.home))
        return {
            "PATH": os.defpath, "TZ": "UTC", "LC_ALL": "C.UTF-8", "TMPDIR": str(temporary), "HOME": str(temporary),
            "PYTHONPATH": f"{folder}:{path}", "PYTHONPYCACHEPREFIX": str(self.home / "pycache"),
            "LAMBDA_TASK_ROOT": str(folder), "_HANDLER": function.handler,
            "AWS_LAMBDA_FUNCTION_NAME": function.deployed_name, "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(function.timeout),
            "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, **function.variables,
            "CODE_VERSION": self._code_version, "AWS_ENDPOINT_URL": self.cloud.endpoint,
            **credentials_of(function, self.cloud.admin),
        }  # fmt: skip
