"""The embedded cloud as the command line and the tests see it: up, down, status, and clients."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local import emulator, root_key
from infra.local.clients import Session, administrator
from infra.local.faults import CloudBusy, CloudCrashed, CloudStopped
from infra.local.package import build_sha, code_version, forget_unused, hash_of

ROOT = Path(__file__).resolve().parents[2]
STACK = "modelcycle"
RECOVER_WITHIN = 60.0  # seconds; the first start of a function on a busy machine takes some
Say = Callable[[str], None]


@dataclass(frozen=True)
class Cloud:
    """A running local cloud with the stack in it.

    `outputs` are the stack's outputs by name, `ApiUrl` as it is reachable here; `left_out` says what of the template
    this place does not have.
    """

    endpoint: str
    outputs: dict[str, str]
    left_out: tuple[str, ...]
    operator: Session = field(repr=False)
    admin: Session = field(repr=False)  # root

    def session(self, user: bool = True) -> Session:
        """Clients as the user `operator`, who may do what the command line needs, or as root."""
        return self.operator if user else self.admin


@dataclass(frozen=True)
class Status:
    """What a person asks of a local cloud. `disk_used` is in bytes; `problems` are sentences, worst first."""

    running: bool
    port: int | None
    pid: int | None
    stack: str | None
    functions: int
    warm_workers: int
    disk_used: int
    problems: tuple[str, ...]


def up(
    *,
    port: int = 4566,
    home: Path | None = None,
    say: Say = lambda line: None,
    template: Path | None = None,
    stage: str = "dev",
) -> Cloud:
    """Start the local cloud if need be, deploy the template if anything changed, and return the cloud.

    Parameters
    ----------
    port: where it listens, on loopback only.
    home: the folder of its state; default `.modelcycle` in the project.
    say: is given one line of progress at a time.
    template: default `template.yaml` of the project; folders in it are relative to it.

    Raises
    ------
    LocalCloudFault
        One of its named kinds, with what, where and a remedy.
    """
    folder = _home(home)
    path = (template or ROOT / "template.yaml").resolve()
    from botocore.exceptions import ConnectionError as ConnectionFailed
    from botocore.exceptions import HTTPClientError

    with _alone(folder):
        was_running = emulator.find(folder) is not None
        if not was_running:
            say("starting the local cloud")
        running = emulator.start(folder, port)
        admin = _admin(running, folder)
        if not was_running:
            _recover(folder, admin, say)
        digest = _digest(path, stage, folder, running.endpoint)
        deployed = _deployed(admin)
        operator = _operator(admin, folder)
        if deployed and deployed["digest"] == digest and operator:
            return Cloud(running.endpoint, deployed["outputs"], tuple(deployed["left_out"]), operator, admin)
        try:
            return _deploy(path, stage, digest, folder, running, say)
        except (ConnectionFailed, HTTPClientError):
            raise _gone(folder) from None


@dataclass(frozen=True)
class Stopped:
    """What a stop found; true where the cloud ran.

    `cut_off` are the executions that were under way, each as `state machine:name`; the next `up` ends them. `lost` says
    what is not on disk.
    """

    was_up: bool
    cut_off: tuple[str, ...] = ()
    lost: str | None = None

    def __bool__(self) -> bool:
        return self.was_up


def down(*, home: Path | None = None, force: bool = False) -> Stopped:
    """Stop the local cloud; all that it holds stays.

    Parameters
    ----------
    force: stop it although what it holds cannot be saved.

    Raises
    ------
    DiskFull
        The state cannot be saved; the cloud stays up.
    """
    folder = _home(home)
    if not folder.is_dir():
        return Stopped(False)
    with _alone(folder):
        found = emulator.stop(folder, force=force)
    return Stopped(found.was_running, found.cut_off, found.lost)


def status(*, home: Path | None = None) -> Status:
    """How the local cloud is, without changing it."""
    folder = _home(home)
    running = emulator.find(folder)
    used = _size(folder)
    if running is None:
        problems: tuple[str, ...] = ()
        if emulator.crashed(folder):
            problems += (
                f"It ended without being stopped; see {emulator.log_file(folder)}. `modelcycle up` starts it.",
            )
        return Status(False, None, None, None, 0, 0, used, problems)
    deployed = _deployed(_admin(running, folder))
    problems = ()
    if running.save_fault:
        lost = emulator.losses(running)
        what = f"A stop would lose {lost}: {running.save_fault}."
        problems += (f"{what} Make room on the disk.",)
    if deployed is None:
        problems += ("No stack is deployed. `modelcycle up` deploys it.",)
    return Status(
        True,
        running.port,
        running.pid,
        STACK if deployed else None,
        deployed["functions"] if deployed else 0,
        running.workers,
        used,
        problems,
    )


def connect(*, home: Path | None = None) -> Cloud:
    """The cloud as `up` left it, without starting or deploying anything.

    Raises
    ------
    CloudStopped
    """
    folder = _home(home)
    running = emulator.find(folder)
    admin = _admin(running, folder) if running else None
    deployed = _deployed(admin) if admin else None
    operator = _operator(admin, folder) if admin else None
    if running is None or admin is None or deployed is None or operator is None:
        raise CloudStopped("The local cloud is not up.", where=str(folder), remedy="Start it with `modelcycle up`.")
    return Cloud(running.endpoint, deployed["outputs"], tuple(deployed["left_out"]), operator, admin)


def _admin(running: emulator.Emulator, home: Path) -> Session:
    """Root, by the key that the emulator made at its start."""
    key = root_key.load(home)
    if key is None:
        raise CloudStopped(
            "The local cloud has no root key that could be read.",
            where=str(home),
            remedy="Stop it with `modelcycle down`; `modelcycle up` makes one.",
        )
    return administrator(running.endpoint, key)


def _recover(home: Path, admin: Session, say: Say) -> None:
    """Wait until the runs and rollouts that an earlier stop cut off have been ended, so that all screens say so."""
    deadline = time.monotonic() + RECOVER_WITHIN
    told = False
    while (running := emulator.find(home)) and running.recovering and time.monotonic() < deadline:
        if not told and time.monotonic() > deadline - RECOVER_WITHIN + 0.5:
            say("ending what the last stop cut off")
            told = True
        time.sleep(0.05)
    deployed = _deployed(admin)
    if deployed and "RegistryTable" in deployed["outputs"]:
        from infra.local import lost_runs

        for run in lost_runs.end(STACK, deployed["outputs"]["RegistryTable"], admin):
            say(f"ended the run {run}, whose execution is gone")


def _gone(home: Path) -> CloudCrashed:
    return CloudCrashed(
        "The local cloud ended in the middle of the deploy.",
        where=str(emulator.log_file(home)),
        remedy="Run `modelcycle up` again: it goes on from the last whole state.",
    )


def _deploy(path: Path, stage: str, digest: str, home: Path, running: emulator.Emulator, say: Say) -> Cloud:
    from infra.local import deploy, operator, settle
    from infra.local.translate import Site, translate

    started = time.monotonic()
    admin = _admin(running, home)
    parameters = {
        "Place": "local",
        "Environment": stage,
        "BuildSha": build_sha(path.parent, home),
        "CodeVersion": code_version(path.parent),
    }
    say("packaging functions and layers")
    translation = translate(path, parameters, Site(home, deploy.BUCKET, admin.endpoint))
    say("deploying the template")
    deploy.deploy(STACK, translation, admin)
    found = deploy.resources(STACK, admin)
    translation.parameters["AWS::StackName"] = STACK
    settled = settle.settle(translation, found, admin)
    user = operator.ensure(admin, found, home)
    left_out = [str(one) for one in translation.left_out] + settled.left_out
    functions = sum(one["type"] == "AWS::Lambda::Function" for one in found.values())
    outputs = settle.reachable(deploy.outputs(STACK, admin), found, admin.endpoint)
    record = {"digest": digest, "outputs": outputs, "left_out": left_out, "functions": functions}
    # Objects are on disk at once, all else at the next save: the record must not outlive what it tells of.
    emulator.save(running)
    admin.client("s3").put_object(Bucket=deploy.BUCKET, Key=_RECORD, Body=json.dumps(record).encode())
    forget_unused(home)
    for line in left_out:
        say(f"not here: {line}")
    say(f"deployed {len(found)} resources, {functions} functions, in {time.monotonic() - started:.1f} s")
    return Cloud(admin.endpoint, outputs, tuple(left_out), user, admin)


_RECORD = "deployed.json"


def _deployed(admin: Session) -> dict[str, Any] | None:
    """What the last whole `up` wrote, kept in the cloud itself so that the two cannot disagree."""
    from botocore.exceptions import ClientError

    from infra.local.deploy import BUCKET

    try:
        body = admin.client("s3").get_object(Bucket=BUCKET, Key=_RECORD)["Body"].read()
    except ClientError:
        return None
    record: dict[str, Any] = json.loads(body)
    return record


def _operator(admin: Session, home: Path) -> Session | None:
    from infra.local import operator

    return operator.load(admin.endpoint, home)


def _digest(template: Path, stage: str, home: Path, endpoint: str) -> str:
    """One hash over all that a deploy is made of; on another port the addresses in it are others."""
    root = template.parent
    flows = [folder for folder in [root / "statemachines"] if folder.is_dir()]
    parts = [build_sha(root, home), hash_of(flows), stage, endpoint]
    parts += [path.read_text(encoding="utf-8") for path in [template, *sorted((root / "infra").glob("**/*.yaml"))]]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _size(folder: Path) -> int:
    """Bytes of all files below; the cloud may remove some while they are counted."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += (Path(parent) / name).lstat().st_size
    return total


def _home(home: Path | None) -> Path:
    return (home or ROOT / ".modelcycle").resolve()


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Two commands at once must not start two clouds, nor deploy over each other."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "lock").open("w") as lock:
        deadline = time.monotonic() + 120
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise CloudBusy(
                        "Another command is starting or deploying the local cloud.",
                        where=str(home),
                        remedy="Wait for it to end, then run this again.",
                    ) from None
                time.sleep(0.1)
        yield
