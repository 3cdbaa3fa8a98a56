"""The local cloud as the command line and the tests use it: up, down, status, connect."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from infra.local.clients import ClientFactory
from infra.local.deployment.code_hash import hash_of
from infra.local.deployment.deploy import STACK, deploy
from infra.local.deployment.deployment_record import (
    DeploymentRecord,
    deployment_digest,
    read_deployment_record,
    write_deployment_record,
)
from infra.local.deployment.layers import remove_unused_layers
from infra.local.deployment.left_out import folded
from infra.local.deployment.operator_user import load_operator
from infra.local.emulator import process
from infra.local.emulator.container_bridge import bridge_address
from infra.local.emulator.environment import log_file
from infra.local.emulator.process import StopResult
from infra.local.emulator.status import RunningEmulator, running_emulator, save
from infra.local.faults import CloudBusy, CloudCrashed, CloudStopped
from infra.local.keys import read_root_key
from infra.local.lock import exclusive
from infra.local.lost_runs import end_lost_runs
from infra.old_keys import move_old_keys, sentences

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_PORT = 4566
RECOVERY_TIMEOUT = 60.0  # seconds; on a busy machine the first start of a function takes some
RECOVERY_NOTICE_AFTER = 0.5  # seconds
Say = Callable[[str], None]
"""Prints a line of progress."""


@dataclass(frozen=True)
class LocalCloud:
    """A running local cloud in which the stack is deployed.

    Parameters
    ----------
    endpoint : of all services
    outputs : of the stack, by name
    left_out : what of the template the local cloud does not have, for people
    operator : clients of the user `operator`, who has the permissions that the command line needs
    admin : clients of root
    """

    endpoint: str
    outputs: dict[str, str]
    left_out: tuple[str, ...]
    operator: ClientFactory = field(repr=False)
    admin: ClientFactory = field(repr=False)


@dataclass(frozen=True)
class CloudStatus:
    """The status of a local cloud.

    Parameters
    ----------
    stack : its name, or None if none is deployed
    functions : number of deployed functions
    warm_workers : number of their processes
    disk_used : bytes
    problems : sentences, the worst first
    executions : those in progress, each as `state machine:name`
    """

    running: bool
    port: int | None
    pid: int | None
    stack: str | None
    functions: int
    warm_workers: int
    disk_used: int
    problems: tuple[str, ...]
    executions: tuple[str, ...] = ()


def up(
    *,
    port: int = DEFAULT_PORT,
    home: Path | None = None,
    say: Say = lambda line: None,
    template: Path | None = None,
    stage: str = "dev",
    parameters: Mapping[str, str] = MappingProxyType({}),
) -> LocalCloud:
    """Start the local cloud if it does not run, and deploy the template if anything has changed.

    Parameters
    ----------
    port : on loopback
    home : folder of its state; default `.modelcycle` in the project
    say : prints a line of progress
    template : default `template.yaml` of the project; paths in it are relative to its folder
    stage : the template's parameter `Environment`
    parameters : further parameters of the template, by name

    Raises
    ------
    LocalCloudFault : one of its subclasses
    """
    from botocore.exceptions import ConnectionError as NoConnection
    from botocore.exceptions import HTTPClientError

    folder = home_folder(home)
    path = (template or ROOT / "template.yaml").resolve()
    with exclusive(folder):
        _stop_earlier_release(folder, say)
        was_running = running_emulator(folder) is not None
        if not was_running:
            say("starting the local cloud")
        emulator = process.start(folder, port, emulator_code())
        admin = _admin(emulator, folder)
        if not was_running:
            if bridge_address() is not None:
                say("it also listens on Docker's bridge, where the functions of `sam local` reach it")
            _wait_for_recovery(folder, admin, say)
        digest = deployment_digest(path, stage, folder, emulator.endpoint, parameters)
        record, operator = read_deployment_record(admin), load_operator(admin.endpoint, folder)
        if record and record.digest == digest and operator:
            return _local_cloud(emulator, record, operator, admin)
        try:
            return _deploy(path, stage, digest, folder, emulator, admin, say, parameters)
        except (NoConnection, HTTPClientError):
            raise CloudCrashed(
                "The local cloud ended during the deployment.",
                where=str(log_file(folder)),
                remedy="Run `modelcycle up` again: it continues with the last complete state.",
            ) from None


def down(*, home: Path | None = None, force: bool = False) -> StopResult:
    """Save the state of the local cloud and stop it.

    Parameters
    ----------
    home : folder of its state; default `.modelcycle` in the project
    force : stop it even if the state cannot be saved

    Raises
    ------
    DiskFull : the state cannot be saved; the cloud is still running
    """
    folder = home_folder(home)
    if not folder.is_dir():
        return StopResult(was_up=False)
    with exclusive(folder):
        return process.stop(folder, force=force)


def status(*, home: Path | None = None) -> CloudStatus:
    """Return the status of the local cloud, without changing it."""
    folder = home_folder(home)
    emulator = running_emulator(folder)
    disk_used = _size(folder)
    if emulator is None:
        problems = []
        if process.has_crashed(folder):
            problems.append(
                f"The local cloud ended unexpectedly; its log is {log_file(folder)}. Start it with `modelcycle up`."
            )
        return CloudStatus(False, None, None, None, 0, 0, disk_used, tuple(problems))
    record = read_deployment_record(_admin(emulator, folder))
    problems = []
    if emulator.save_fault:
        problems.append(
            f"The state cannot be saved: {emulator.save_fault}. A stop would lose {emulator.unsaved_changes}. "
            "Free disk space."
        )
    if record is None:
        problems.append("No stack is deployed. `modelcycle up` deploys it.")
    return CloudStatus(
        running=True,
        port=emulator.port,
        pid=emulator.pid,
        stack=STACK if record else None,
        functions=record.functions if record else 0,
        warm_workers=emulator.workers,
        disk_used=disk_used,
        problems=tuple(problems),
        executions=emulator.running,
    )


def connect(*, home: Path | None = None) -> LocalCloud:
    """Return the local cloud as the last `up` left it, without starting or deploying anything.

    Raises
    ------
    CloudStopped
    """
    folder = home_folder(home)
    emulator = running_emulator(folder)
    if emulator is not None:
        admin = _admin(emulator, folder)
        record, operator = read_deployment_record(admin), load_operator(admin.endpoint, folder)
        if record and operator:
            return _local_cloud(emulator, record, operator, admin)
    raise CloudStopped("The local cloud is not up.", where=str(folder), remedy="Start it with `modelcycle up`.")


def emulator_code() -> str:
    """Return the hash of the emulator's own code: its process keeps the code that it was started with."""
    return hash_of([ROOT / "infra" / "local" / "emulator"])


def _stop_earlier_release(home: Path, say: Say) -> None:
    """Stop a process of another release, with its state saved: today's functions may need what it does not have.

    Raises
    ------
    CloudBusy : it has work in progress, which neither a stop nor today's roles would let end
    """
    emulator = running_emulator(home)
    if emulator is None or not process.has_other_code(home, emulator_code()):
        return
    if emulator.running:
        names = ", ".join(emulator.running)
        raise CloudBusy(
            "The local cloud was started by another release, and has work in progress.", where=names,
            remedy="Run `modelcycle up` again when it has ended, or `modelcycle down` first.",
        )  # fmt: skip
    say("stopping the local cloud, which was started by another release")
    process.stop(home)


def _local_cloud(
    emulator: RunningEmulator, record: DeploymentRecord, operator: ClientFactory, admin: ClientFactory
) -> LocalCloud:
    return LocalCloud(emulator.endpoint, record.outputs, tuple(record.left_out), operator, admin)


def _admin(emulator: RunningEmulator, home: Path) -> ClientFactory:
    """Return clients of root, by the key that the emulator created at its first start."""
    key = read_root_key(home)
    if key is None:
        raise CloudStopped(
            "The root key of the local cloud is missing or cannot be read.",
            where=str(home),
            remedy="Run `modelcycle down`, then `modelcycle up`, which creates one.",
        )
    return ClientFactory.of(emulator.endpoint, key)


def _wait_for_recovery(home: Path, admin: ClientFactory, say: Say) -> None:
    """Wait until the runs and rollouts that the last stop interrupted have ended, so that every screen agrees."""
    started, noticed = time.monotonic(), False
    while (emulator := running_emulator(home)) and emulator.recovering:
        waited = time.monotonic() - started
        if waited > RECOVERY_TIMEOUT:
            break
        if waited > RECOVERY_NOTICE_AFTER and not noticed:
            say("ending the runs and rollouts that the last stop interrupted")
            noticed = True
        time.sleep(process.POLL_INTERVAL)
    record = read_deployment_record(admin)
    if record:
        _end_lost_runs(record.outputs, admin, say)


def _end_lost_runs(outputs: dict[str, str], admin: ClientFactory, say: Say) -> None:
    if "RegistryTable" in outputs:
        for run in end_lost_runs(STACK, outputs["RegistryTable"], admin):
            say(f"ended the run {run}: its execution no longer exists")


def _move_old_records(outputs: dict[str, str], admin: ClientFactory, say: Say) -> None:
    """Move the records that an earlier release has written; its runs could not be found before."""
    if "RegistryTable" in outputs:
        result = move_old_keys(admin.client("dynamodb"), outputs["RegistryTable"])
        for line in sentences(result):
            say(line)
        if result.moved:
            _end_lost_runs(outputs, admin, say)


def _deploy(
    template: Path,
    stage: str,
    digest: str,
    home: Path,
    emulator: RunningEmulator,
    admin: ClientFactory,
    say: Say,
    parameters: Mapping[str, str],
) -> LocalCloud:
    started = time.monotonic()
    deployed = deploy(template, stage, home, admin, say, parameters)
    _move_old_records(deployed.outputs, admin, say)  # before the record: a deployment that is killed here is repeated
    left_out = [str(item) for item in deployed.left_out]
    record = DeploymentRecord(digest, deployed.outputs, left_out, deployed.functions)
    # S3 objects are written to disk at once, everything else by a save: after a kill the record must not exist without
    # the deployment.
    save(emulator)
    write_deployment_record(record, admin)
    remove_unused_layers(home)
    for line in folded(deployed.left_out):
        say(f"not available locally: {line}")
    say(
        f"deployed {deployed.resources} resources, {deployed.functions} functions, "
        f"in {time.monotonic() - started:.1f} s"
    )
    return _local_cloud(emulator, record, deployed.operator, admin)


def _size(folder: Path) -> int:
    """Return the bytes of all files below a folder; the cloud may remove some meanwhile."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += (Path(parent) / name).lstat().st_size
    return total


def home_folder(home: Path | None) -> Path:
    """Return the folder of a cloud's state; default `.modelcycle` in the project."""
    return (home or ROOT / ".modelcycle").resolve()
