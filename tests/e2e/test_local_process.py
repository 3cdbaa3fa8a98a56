"""The process of the local cloud: killed, stopped on a full disk, of another release, beside other programs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local import cloud as local
from infra.local.cloud import LocalCloud
from infra.local.emulator import process
from infra.local.emulator.pid_file import read_record, write_record
from infra.local.emulator.status import running_emulator, save
from infra.local.faults import CloudCrashed, PortTaken, RunsElsewhere
from infra.local.ports import free_port
from tests.e2e.conftest import ROOT, CloudSite
from tests.e2e.sample_cloud import ask, emulator_of


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def up(sample: CloudSite) -> LocalCloud:
    return sample.up()


def test_a_kill_loses_nothing(up: LocalCloud, sample: CloudSite) -> None:
    up.operator.client("s3").put_object(Bucket=up.outputs["DataBucket"], Key="raw/m/rows.csv", Body=b"a\n1\n")
    up.admin.client("dynamodb").put_item(TableName=up.outputs["Table"], Item={"pk": {"S": "MODEL#m"}})
    time.sleep(3)  # the state is saved every two seconds
    os.kill(emulator_of(sample).pid, signal.SIGKILL)
    while running_emulator(sample.home.resolve()):
        time.sleep(0.05)
    assert "ended unexpectedly" in local.status(home=sample.home).problems[0]
    lines: list[str] = []
    again = sample.up(lines)
    assert again.outputs == up.outputs
    assert not any("packaging" in line for line in lines)
    stored = again.operator.client("s3").get_object(Bucket=again.outputs["DataBucket"], Key="raw/m/rows.csv")
    assert stored["Body"].read() == b"a\n1\n"
    item = again.operator.client("dynamodb").get_item(TableName=again.outputs["Table"], Key={"pk": {"S": "MODEL#m"}})
    assert item["Item"]
    assert ask(again)["body"] == "hello"


@pytest.fixture
def full_disk(sample: CloudSite) -> Iterator[Path]:
    """A file in place of the folder of the next state, so that a save fails until the file is removed."""
    obstacle = sample.home / "services.next"
    yield obstacle
    obstacle.unlink(missing_ok=True)


def test_a_stop_that_would_lose_changes_is_refused_and_names_them(
    up: LocalCloud, sample: CloudSite, full_disk: Path
) -> None:
    cloud = sample.up()
    cloud.admin.client("dynamodb").put_item(TableName=cloud.outputs["Table"], Item={"pk": {"S": "before"}})
    save(emulator_of(sample))
    full_disk.touch()
    cloud.admin.client("dynamodb").put_item(TableName=cloud.outputs["Table"], Item={"pk": {"S": "after"}})
    result = command(sample, "down")
    assert result.returncode == 1
    assert "was not stopped" in result.stderr and "the registry of models" in result.stderr
    assert "kept" not in result.stdout + result.stderr
    assert "the registry of models" in local.status(home=sample.home).problems[0]
    assert running_emulator(sample.home.resolve())
    full_disk.unlink()
    assert command(sample, "down").returncode == 0
    assert item(sample.up(), "after")


def test_a_forced_stop_says_what_it_lost(up: LocalCloud, sample: CloudSite, full_disk: Path) -> None:
    cloud = sample.up()
    save(emulator_of(sample))
    full_disk.touch()
    cloud.admin.client("dynamodb").put_item(TableName=cloud.outputs["Table"], Item={"pk": {"S": "lost"}})
    result = command(sample, "down", "--force")
    assert result.returncode == 1
    assert "It lost the changes since" in result.stdout and "the registry of models" in result.stdout
    full_disk.unlink()
    again = sample.up()
    assert not item(again, "lost")
    assert item(again, "after")


def command(site: CloudSite, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `modelcycle` in its own process."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words], cwd=ROOT, capture_output=True, text=True, check=False,
        env=os.environ | {"MODELCYCLE_HOME": str(site.home)},
    )  # fmt: skip


def item(cloud: LocalCloud, key: str) -> Any:
    """Return an item of the sample table, or None."""
    answer = cloud.admin.client("dynamodb").get_item(TableName=cloud.outputs["Table"], Key={"pk": {"S": key}})
    return answer.get("Item")


def test_status_says_what_runs(up: LocalCloud, sample: CloudSite) -> None:
    sample.up()
    status = local.status(home=sample.home)
    assert (status.running, status.port, status.functions, status.problems) == (True, sample.port, 1, ())
    assert status.disk_used > 0


def test_another_port_is_refused_while_it_runs(up: LocalCloud, sample: CloudSite) -> None:
    with pytest.raises(RunsElsewhere, match=str(sample.port)):
        local.up(port=free_port(), home=sample.home, template=sample.template)


def test_a_port_of_another_program_is_reported(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(PortTaken, match="another program"):
            local.up(port=other.getsockname()[1], home=tmp_path)


def test_the_pid_of_another_program_does_no_harm(up: LocalCloud, sample: CloudSite) -> None:
    local.down(home=sample.home)
    other = subprocess.Popen(["sleep", "30"])
    try:
        (sample.home / "cloud.pid").write_text(json.dumps({"pid": other.pid, "port": sample.port}))
        assert not local.down(home=sample.home).was_up
        assert ask(sample.up())["body"] == "hello"
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_cloud_ends_when_its_folder_is_removed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    emulator = process.start(home, free_port())
    shutil.rmtree(home)
    deadline = time.monotonic() + 10
    while listens(emulator.port):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_cloud_of_another_release_is_started_again_with_its_state(sample: CloudSite) -> None:
    site, lines = sample, list[str]()
    before = site.up()
    record = read_record(site.home)
    assert record is not None
    write_record(site.home, record._replace(code="of another release"))
    after = site.up(lines)
    assert "stopping the local cloud, which was started by another release" in lines
    assert read_record(site.home) not in (None, record)
    assert (ask(after)["body"], after.outputs) == ("hello", before.outputs)
    lines.clear()
    assert site.up(lines).outputs == before.outputs
    assert not lines


@pytest.mark.parametrize("seconds", [0.3, pytest.param(0.6, marks=pytest.mark.delivery)])
def test_a_cloud_that_is_killed_during_a_deployment_starts_again(
    sample: CloudSite, tmp_path: Path, seconds: float
) -> None:
    site = CloudSite(tmp_path / "home", free_port(), sample.template)
    sample.up()  # which installs the layers
    shutil.copytree(sample.home / "layers", site.home / "layers", symlinks=True)
    emulator = process.start(site.home, site.port, local.emulator_code())
    killer = threading.Timer(seconds, os.kill, (emulator.pid, signal.SIGKILL))
    killer.start()
    try:
        with contextlib.suppress(CloudCrashed):
            site.up()
        killer.join()
        assert ask(site.up())["body"] == "hello"
    finally:
        local.down(home=site.home)
