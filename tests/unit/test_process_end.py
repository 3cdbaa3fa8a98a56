"""How the processes of local clouds are ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

from infra.local.process_end import end_process

PROGRAMS = {
    "obeys": "import time; print('up', flush=True); time.sleep(60)",
    "ignores": "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('up', flush=True); time.sleep(60)",
}


def exists(pid: int) -> bool:
    listed = subprocess.run(["ps", "-p", str(pid), "-o", "stat="], capture_output=True, text=True, check=False)
    return bool(listed.stdout.strip()) and not listed.stdout.startswith("Z")


@pytest.mark.parametrize("program", sorted(PROGRAMS))
def test_a_child_has_ended_even_if_it_ignores_the_request(program: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAMS[program]], stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline() == b"up\n"
        end_process(process.pid, 0.3)
        assert not exists(process.pid)


def test_a_process_of_another_command_has_ended() -> None:
    """Its parent is not this process, so that nobody here reaps it."""
    parent = (
        "import subprocess, sys; "
        f"p = subprocess.Popen([sys.executable, '-c', {PROGRAMS['obeys']!r}], stdout=subprocess.DEVNULL, "
        "stderr=subprocess.DEVNULL, start_new_session=True); print(p.pid)"
    )
    printed = subprocess.run([sys.executable, "-c", parent], capture_output=True, text=True, check=True).stdout
    pid = int(printed)
    assert exists(pid)
    end_process(pid, 5)
    assert not exists(pid)


def test_a_process_that_is_gone_is_no_fault() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    end_process(process.pid, 0.1)
