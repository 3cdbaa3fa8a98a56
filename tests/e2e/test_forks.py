"""Processes of the project's own functions start as forks, whatever variables the emulator gives them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from infra.local.cloud import LocalCloud
from infra.local.fork_plans import START_PROGRAM, read_plans, sockets_folder
from tests.e2e.conftest import CloudSite
from tests.e2e.observed_model import wait_for
from tests.e2e.restartable_cloud import function_processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes of functions are forks on Linux only")
# one of each list of layers
NAMES = {"Claim", "Collect", "Pull", "RunTrial", "Predict", "Govern", "Stage", "Judge"}


def test_a_function_of_each_list_of_layers_is_a_fork(cloud: LocalCloud, project: CloudSite) -> None:
    plans = read_plans(project.home)
    assert len(plans) == len(NAMES)
    wait_for(lambda: all((sockets_folder(project.home) / plan.name).exists() for plan in plans), 60)
    client = cloud.admin.client("lambda")
    for function in client.list_functions()["Functions"]:
        if function["FunctionName"].split("-")[1] in NAMES:
            client.invoke(FunctionName=f"{function['FunctionName']}:live", Payload=b"{}")["Payload"].read()
    programs = {
        name: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        for pid, name in function_processes(cloud)
        if name in NAMES
    }
    assert set(programs) == NAMES
    assert {name for name, words in programs.items() if str(START_PROGRAM).encode() not in words} == set()
    assert "without a fork" not in (project.home / "cloud.log").read_text()
