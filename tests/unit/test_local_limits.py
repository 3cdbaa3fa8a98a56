"""What the local cloud refuses as AWS does: measures and texts. With a running cloud: tests/e2e/test_limits.py."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local.deployment import package_size
from infra.local.emulator.limits import process_memory
from infra.local.emulator.limits.ended_processes import end_of
from infra.local.emulator.limits.function_settings import refusal as refusal_of_settings
from infra.local.emulator.limits.histories import count_events, limit_histories
from infra.local.emulator.limits.sandboxes import SandboxWatch
from infra.local.emulator.limits.states import data_bytes
from infra.local.emulator.limits.temporary_files import used_bytes
from infra.local.faults import TemplateInvalid
from infra.local.quotas import HISTORY, KIB, MIB, STATE_DATA, UNZIPPED
from modelcycle.messages import Artifact, TrialResult
from tests.unit.learning_tables import lifecycle, table
from tests.unit.test_train import planned

measured = pytest.mark.skipif(not process_memory.is_measurable(), reason="this system does not tell it")
COLUMNS = 999  # and the target: the most that a file may have
ROWS = 120
# shares the first block with its parent, and writes the second by itself
FORKED = """
import os, sys, time
shared = bytearray(b"x" * (64 << 20))
if os.fork() == 0:
    own = bytearray(b"y" * (int(sys.argv[1]) << 20))
    print(os.getpid(), flush=True)
    time.sleep(60)
os.wait()
"""


@contextmanager
def forked(mib: int) -> Iterator[int]:
    """A process that shares 64 MiB with its parent and has written more by itself; yields its id."""
    process = subprocess.Popen([sys.executable, "-c", FORKED, str(mib)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    pid = int(process.stdout.readline())
    try:
        yield pid
    finally:
        os.kill(pid, 9)
        process.wait()
        process.stdout.close()


@measured
def test_memory_that_a_fork_shares_with_its_server_does_not_count() -> None:
    with forked(mib=20) as pid:
        assert process_memory.resident_bytes(pid) > 84 * MIB
        assert 20 * MIB < process_memory.own_bytes(pid) < 60 * MIB
        assert not process_memory.exceeds(pid, 64 * MIB)
        assert process_memory.exceeds(pid, 16 * MIB)


@measured
def test_a_process_that_has_ended_holds_nothing() -> None:
    with forked(mib=1) as pid:
        pass
    assert process_memory.own_bytes(pid) == process_memory.resident_bytes(pid) == 0
    assert not process_memory.exceeds(pid, 1)


@measured
def test_only_a_working_process_is_killed_and_only_beyond_its_memory_size() -> None:
    process = subprocess.Popen([sys.executable, "-c", "x = b'x' * (200 << 20); print(1, flush=True); input()"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    assert process.stdout and process.stdin
    process.stdout.readline()
    worker = SimpleNamespace(in_use=False, _proc=process, _server=None, exceeded=None, config={"MemorySize": 128})
    folders: Any = SimpleNamespace(folder_of=lambda _: None)
    watch = SandboxWatch(SimpleNamespace(_workers={"f": [worker]}), folders)
    watch.look(files_too=True)
    assert process.poll() is None and worker.exceeded is None, "an idle process is frozen on AWS"
    worker.in_use, worker.config = True, {"MemorySize": 256}
    watch.look(files_too=True)
    assert process.poll() is None and worker.exceeded is None
    worker.config = {"MemorySize": 128}
    watch.look(files_too=True)
    assert process.wait(timeout=10) == -9 and worker.exceeded == "MemorySize"
    process.stdin.close()
    process.stdout.close()


def test_temporary_files_count_as_the_disk_counts_them(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(os.urandom(3 * MIB))
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 33)
    (tmp_path / "link").symlink_to("/")
    assert 3 * MIB <= used_bytes(tmp_path) < 4 * MIB
    assert used_bytes(tmp_path / "missing") == 0


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (-9, "Runtime exited with error: signal: killed"),
        (-11, "Runtime exited with error: signal: segmentation fault"),
        (1, "Runtime exited with error: exit status 1"),
        (0, "Runtime exited without providing a reason"),
    ],
)
def test_the_end_of_a_process_is_told_in_aws_words(status: int, text: str) -> None:
    told = end_of({"errorType": "Runtime.ExitError"}, "7d5e", status, {}, None)
    assert told == {"errorType": "Runtime.ExitError", "errorMessage": f"RequestId: 7d5e Error: {text}"}


def test_data_are_measured_in_utf_8() -> None:
    assert data_bytes("é" * (STATE_DATA.maximum // 2 - 1)) == STATE_DATA.maximum
    assert data_bytes("\ud800") == 5  # a lone surrogate, which JSON may hold


def test_settings_may_be_text_as_a_parameter_of_a_template_gives_them() -> None:
    assert refusal_of_settings({"Timeout": "900", "MemorySize": "10240", "EphemeralStorage": {"Size": "512"}}) is None
    refused = refusal_of_settings({"Timeout": "0", "MemorySize": 64})
    assert refused and refused.startswith("2 validation errors detected: ")
    assert "greater than or equal to 128" in refused


class Flows:
    """As much of the emulator's Step Functions as the history needs."""

    class _ExecutionError(Exception):
        def __init__(self, error: str, cause: str) -> None:
            super().__init__(error, cause)

    def __init__(self) -> None:
        self._execute_pass = self._execute_task = self._execute_choice = lambda *_: None
        self._execute_wait = self._execute_parallel = self._execute_map = lambda *_: None

    def _add_event(self, execution: dict[str, Any], event_type: str, details: Any = None) -> None:
        execution["events"].append(event_type)

    def _run_sub_machine(self, states: Any, start: Any, data: Any, execution: dict[str, Any], context: Any) -> None:
        self._execute_task()
        self._add_event(execution, "TaskScheduled")
        self._add_event(execution, "TaskSucceeded")


def test_an_iteration_of_a_map_counts_as_on_aws() -> None:
    flows, execution = Flows(), {"events": []}
    limit_histories(flows)
    flows._run_sub_machine({}, "a", {}, execution, {})
    # MapIterationStarted, TaskStateEntered, LambdaFunctionScheduled, -Started, -Succeeded, TaskStateExited, -Succeeded
    assert count_events(execution) == 7


def test_the_last_event_of_a_full_history_is_its_end() -> None:
    flows, execution = Flows(), {"events": ["x"] * (HISTORY.maximum - 2)}
    limit_histories(flows)
    flows._add_event(execution, "PassStateEntered")
    with pytest.raises(Flows._ExecutionError, match="maximum number of history events"):
        flows._add_event(execution, "PassStateExited")
    flows._add_event(execution, "ExecutionFailed")
    assert len(execution["events"]) == HISTORY.maximum


def test_a_function_with_more_than_250_mib_is_refused_with_the_sizes(tmp_path: Path) -> None:
    code, layer = tmp_path / "code", tmp_path / "layers" / "learning" / "1"
    for folder in (code, layer / "package" / "tests"):
        folder.mkdir(parents=True)
    with (layer / "package" / "large.so").open("wb") as file:
        file.truncate(UNZIPPED.maximum)
    for name in ("large.pyc", "large.pyx", "tests/large.so"):  # not in the layer that AWS gets
        with (layer / "package" / name).open("wb") as file:
            file.truncate(MIB)
    package_size.check_package_size("Train", code, [layer], tmp_path / "template.yaml")
    (code / "app.py").write_text("x")
    with pytest.raises(TemplateInvalid, match=r"smaller than 262144000 bytes. It has 262144001: learning 250 MiB"):
        package_size.check_package_size("Train", code, [layer], tmp_path / "template.yaml")


def test_the_state_of_the_largest_pipeline_fits() -> None:
    """200 trials on a file with as many columns as a file may have, each with a long name."""
    raw: dict[str, list[Any]] = {
        f"column {'n' * 60} {i}": [float((i + 3) * r % 97) for r in range(ROWS)] for i in range(COLUMNS)
    }
    raw["target"] = ["yes" if row % 2 else "no" for row in range(ROWS)]
    life = lifecycle(table(raw, "target", "binary"), training={"trials": 200})
    trials = planned(life)
    scores = Artifact(uri=f"s3://{'b' * 63}/{'m' * 48}/run-trial/{'0' * 64}.npz", sha256="0" * 64, bytes=10**8)
    results = [TrialResult(trial=trial, loss=0.12345678901234567, scores=scores, seconds=123.456) for trial in trials]
    assert len(results) == 200
    state = {
        "run": life.run.model_dump(mode="json"),
        "preprocess": life.preprocessed.wire(),
        "engineer_features": life.engineer().wire(),
        "plan_trials": {"schema": 1, "metric": "log loss", "trials": [trial.model_dump() for trial in trials]},
        "trials": [result.wire() for result in results],
    }
    # the event of the upload and the messages of the steps that follow: each below 32 KiB, most below 2
    assert data_bytes(state) < STATE_DATA.maximum - 64 * KIB
