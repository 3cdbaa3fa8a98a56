"""Forks of a fork server, and what stands for them; a small `awslambdaric` takes the runtime's place."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local.deployment.layers import BASE_PYTHON
from infra.local.deployment.preloaded import load_time_variables, preloaded_modules
from infra.local.emulator import fork_servers
from infra.local.emulator.fork_servers import ForkServers
from infra.local.fork_plans import START_PROGRAM, ForkPlan, plans_file, read_plans, sockets_folder, write_plans

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes of functions are forks on Linux only")
TIMEOUT = 20.0  # seconds
# Prints what a function's process sees, then does what the handler is called.
RUNTIME = """
import json, os, random, sys, time
import layered
print(json.dumps({
    "pid": os.getpid(), "parent": os.getppid(), "folder": os.getcwd(), "main": __name__, "argv": sys.argv[1:],
    "environment": dict(os.environ), "path": sys.path, "imported_in": layered.imported_in, "random": random.random(),
    "descriptors": sorted(os.listdir("/proc/self/fd")),
}), flush=True)
if sys.argv[1] == "fail":
    sys.exit(7)
if sys.argv[1] == "wait":
    time.sleep(60)
"""


class Site:
    """Layers, a runtime and the code of a function, and the servers for them."""

    def __init__(self, home: Path) -> None:
        self.home, self.layer, self.code = home, home / "layer", home / "code"
        for folder in (self.layer / "awslambdaric", self.code, home / "scratch"):
            folder.mkdir(parents=True)
        (self.layer / "awslambdaric" / "__init__.py").touch()
        (self.layer / "awslambdaric" / "__main__.py").write_text(RUNTIME)
        (self.layer / "layered.py").write_text(
            "import os\nimported_in = os.getpid()\nos.environ['SET_BY_IMPORT'] = 'y'\n"
        )
        self.servers = ForkServers(home)

    def plan(self, *modules: str, **variables: str) -> ForkPlan:
        """Return the plan of one server."""
        return ForkPlan(
            BASE_PYTHON, str(self.layer), str(self.home / "scratch"), ("layered", *modules), tuple(variables.items())
        )

    def serve(self, *plans: ForkPlan) -> None:
        """Deploy the plans and wait for their servers."""
        write_plans(self.home, list(plans))
        if self.servers._read_at == -1:
            self.servers.watch()
        wait_for(lambda: {plan.name for plan in plans} == {path.name for path in sockets_folder(self.home).iterdir()})
        wait_for(lambda: all(server.imported is None for server in self.servers._servers.values()))

    def start(self, plan: ForkPlan, handler: str = "end", **variables: str) -> subprocess.Popen[str]:
        """Start a process of the function, as its bootstrap does."""
        environment = {
            **plan.environment(), "PYTHONPATH": f"{self.code}:{self.layer}", "LAMBDA_TASK_ROOT": str(self.code),
            "PATH": os.defpath, **variables,
        }  # fmt: skip
        socket_path = str(sockets_folder(self.home) / plan.name)
        return subprocess.Popen(
            [BASE_PYTHON, "-I", "-S", str(START_PROGRAM), socket_path, BASE_PYTHON, handler], cwd=self.code,
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "the condition did not hold in time"
        time.sleep(0.01)


def seen(process: subprocess.Popen[str]) -> dict[str, object]:
    """Return what a started process sees."""
    assert process.stdout
    answer: dict[str, object] = json.loads(process.stdout.readline())
    return answer


def has_ended(pid: object) -> bool:
    assert isinstance(pid, int)
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.servers.close()


def test_a_fork_sees_what_a_process_of_its_own_sees(site: Site) -> None:
    plan = site.plan()
    alone = seen(site.start(plan, FUNCTION="one"))
    site.serve(plan)
    fork = seen(site.start(plan, FUNCTION="one"))
    assert alone["imported_in"] == alone["pid"]
    assert fork["imported_in"] == fork["parent"] != fork["pid"]
    for name in ("folder", "main", "argv", "environment", "path"):
        assert fork[name] == alone[name], name
    assert fork["environment"]["FUNCTION"] == "one"  # type: ignore[index]


def test_nothing_of_one_fork_or_of_the_server_reaches_another(site: Site) -> None:
    plan = site.plan()
    site.serve(plan)
    first = site.start(plan, "wait", SECRET="of the first")
    before, after = seen(first), seen(site.start(plan))
    assert "SECRET" not in after["environment"]  # type: ignore[operator]
    assert before["random"] != after["random"]
    # standard input, output and error, and the folder that is being listed
    assert len(after["descriptors"]) == 4  # type: ignore[arg-type]
    first.kill()


def test_the_status_of_a_fork_is_passed_on(site: Site) -> None:
    plan = site.plan()
    site.serve(plan)
    assert site.start(plan, "end").wait(TIMEOUT) == 0
    assert site.start(plan, "fail").wait(TIMEOUT) == 7
    process = site.start(plan, "wait")
    os.kill(int(str(seen(process)["pid"])), signal.SIGKILL)
    assert process.wait(TIMEOUT) == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_fork_ends_with_the_process_that_stands_for_it(site: Site, number: signal.Signals) -> None:
    plan = site.plan()
    site.serve(plan)
    process = site.start(plan, "wait")
    fork = seen(process)["pid"]
    process.send_signal(number)
    wait_for(lambda: has_ended(fork))
    assert process.wait(TIMEOUT) == -number


def test_forks_end_with_a_server_that_is_killed_and_another_is_started(site: Site) -> None:
    plan = site.plan()
    site.serve(plan)
    process = site.start(plan, "wait")
    fork = seen(process)
    os.kill(int(str(fork["parent"])), signal.SIGKILL)
    wait_for(lambda: has_ended(fork["pid"]))
    assert process.wait(TIMEOUT) == -signal.SIGKILL

    def is_fork_again() -> bool:
        answer = seen(site.start(plan))
        return answer["imported_in"] == answer["parent"] != fork["parent"]

    wait_for(is_fork_again)


def test_servers_and_forks_end_with_an_emulator_that_is_killed(site: Site) -> None:
    plan = site.plan()
    write_plans(site.home, [plan])
    program = (
        "import sys, time; from pathlib import Path; from infra.local.emulator.fork_servers import ForkServers;"
        "ForkServers(Path(sys.argv[1])).watch(); time.sleep(60)"
    )
    emulator = subprocess.Popen([sys.executable, "-c", program, str(site.home)])
    wait_for((sockets_folder(site.home) / plan.name).exists)
    process = site.start(plan, "wait")
    fork = seen(process)
    assert fork["imported_in"] == fork["parent"]
    emulator.kill()
    wait_for(lambda: has_ended(fork["pid"]) and has_ended(fork["parent"]))
    assert process.wait(TIMEOUT) != 0
    emulator.wait()


def test_without_a_server_the_function_starts_by_itself(site: Site) -> None:
    plan = site.plan()
    site.serve(plan)
    site.servers.close()
    answer = seen(site.start(plan))
    assert answer["imported_in"] == answer["pid"]


def test_a_server_whose_module_starts_a_thread_does_not_fork(site: Site) -> None:
    (site.layer / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    plan = site.plan("threaded")
    site.serve(plan)
    answer = seen(site.start(plan))
    assert answer["imported_in"] == answer["pid"]


@pytest.mark.parametrize("variables", [{"OMP_NUM_THREADS": "4"}, {"OMP_NUM_THREADS": "1", "MKL_DYNAMIC": "0"}, {}])
def test_a_function_with_other_variables_of_libraries_starts_by_itself(site: Site, variables: dict[str, str]) -> None:
    plan = site.plan(OMP_NUM_THREADS="1")
    site.serve(plan)
    fork = seen(site.start(plan, OMP_NUM_THREADS="1"))
    assert fork["imported_in"] == fork["parent"]
    answer = seen(site.start(plan, **variables))
    assert answer["imported_in"] == answer["pid"]


def test_a_function_whose_own_module_hides_one_of_a_layer_starts_by_itself(site: Site) -> None:
    (site.code / "layered.py").write_text("import os\nimported_in = 'the code'\n")
    plan = site.plan()
    site.serve(plan)
    assert seen(site.start(plan))["imported_in"] == "the code"


def test_a_new_deployment_ends_old_servers_once_their_forks_have_ended(site: Site) -> None:
    old, new = site.plan(), site.plan("json")
    site.serve(old)
    process = site.start(old, "wait")
    fork = seen(process)
    site.serve(new)
    answer = seen(site.start(new))
    assert answer["imported_in"] == answer["parent"] != fork["parent"]
    assert not has_ended(fork["pid"])
    process.kill()
    wait_for(lambda: has_ended(fork["parent"]))


def test_a_function_that_is_stopped_while_it_waits_is_not_started(site: Site) -> None:
    (site.layer / "slow.py").write_text(
        "import pathlib, time\nwhile not pathlib.Path(__file__).with_name('go').exists(): time.sleep(0.01)\n"
    )
    plan = site.plan("slow")
    write_plans(site.home, [plan])
    site.servers.watch()
    wait_for((sockets_folder(site.home) / plan.name).exists)
    stopped, kept = site.start(plan, "wait"), site.start(plan)
    time.sleep(0.3)
    stopped.kill()
    stopped.wait()
    (site.layer / "go").touch()
    assert seen(kept)["argv"] == ["end"]
    assert stopped.stdout
    assert stopped.stdout.read() == ""


def test_the_socket_is_for_its_owner_only(site: Site) -> None:
    plan = site.plan()
    site.serve(plan)
    assert sockets_folder(site.home).stat().st_mode & 0o077 == 0
    assert (sockets_folder(site.home) / plan.name).stat().st_mode & 0o077 == 0


def test_a_malformed_request_harms_no_other(site: Site) -> None:
    import socket

    plan = site.plan()
    site.serve(plan)
    for content in (b"", b"\0", b"\0\0\0\4a=", b"\xff\xff\xff\xff"):
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as connection:
            connection.connect(str(sockets_folder(site.home) / plan.name))
            connection.sendall(content)
    fork = seen(site.start(plan))
    assert fork["imported_in"] == fork["parent"]


def test_plans_are_read_as_they_were_written(site: Site) -> None:
    plans = [site.plan(), site.plan(OMP_NUM_THREADS="1")]
    write_plans(site.home, plans)
    assert read_plans(site.home) == plans
    plans_file(site.home).write_text('[{"python": 1}]')
    assert read_plans(site.home) == []


def test_what_functions_import_is_imported_ahead_and_a_broken_file_is_left_to_its_function(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import own.package\nfrom other.part import name\nfrom . import sibling\n")
    (tmp_path / "broken.py").write_text("import (\n")
    assert preloaded_modules([tmp_path])[:2] == ("other.part", "own.package")


def test_only_literal_variables_of_libraries_are_given_to_a_server() -> None:
    variables = {"OMP_NUM_THREADS": "1", "POWERTOOLS_X": {"Ref": "Name"}, "DATA_BUCKET": "b"}
    assert load_time_variables({"Environment": {"Variables": variables}}) == (("OMP_NUM_THREADS", "1"),)
    assert load_time_variables({}) == ()


def test_an_idle_server_ends_and_comes_back_with_the_next_function(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "impatient_server.py"
    text = fork_servers.SERVER_PROGRAM.read_text()
    for long, short in (("MAX_IDLE_SECONDS = 900.0", "MAX_IDLE_SECONDS = 0.5"), ("timeout=60.0", "timeout=0.1")):
        assert long in text
        text = text.replace(long, short)
    program.write_text(text)
    monkeypatch.setattr(fork_servers, "SERVER_PROGRAM", program)
    functions = 0
    monkeypatch.setattr(fork_servers, "count_processes", lambda: functions)
    plan = site.plan()
    site.serve(plan)
    first = site.servers._servers[plan.name].process
    assert first.wait(TIMEOUT) == 0
    time.sleep(3 * fork_servers.POLL_INTERVAL)
    assert site.servers._servers[plan.name].process is first
    functions = 1
    wait_for(lambda: site.servers._servers[plan.name].process is not first)


def test_a_template_of_many_kinds_of_functions_starts_a_bounded_number_of_servers(site: Site) -> None:
    plans = [site.plan(OMP_NUM_THREADS=str(number)) for number in range(1, fork_servers.MAX_SERVERS + 3)]
    write_plans(site.home, plans)
    site.servers.watch()
    wait_for(lambda: len(site.servers._servers) >= fork_servers.MAX_SERVERS)
    time.sleep(3 * fork_servers.POLL_INTERVAL)
    assert set(site.servers._servers) == {plan.name for plan in plans[: fork_servers.MAX_SERVERS]}
