"""The process of the local cloud: MiniStack, made safe to leave running on a laptop.

    python -m infra.local.launcher --home .modelcycle --port 4566

MiniStack hands its whole environment to every function, listens everywhere, answers any web page, and saves its state
only when it is stopped in good order. So this process builds its environment from nothing, listens on loopback alone,
stands behind a guard, and has a keeper.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import socket
import socketserver
import sys
import threading
import time
from pathlib import Path
from typing import Any

from infra.local import root_key
from infra.local.bounds import bound_memory
from infra.local.captures import Buffer
from infra.local.deliveries import Deliveries
from infra.local.guard import SAVE_PATH, STATUS_PATH, Guard
from infra.local.keeper import Keeper, keep_code_until_saved
from infra.local.mends import keep_attributes_of_nested_resources, name_the_end_of_a_starting_function
from infra.local.objects import Objects
from infra.local.processes import count_processes, is_any_busy, stop_all_processes, stop_idle_processes
from infra.local.snapshot import Snapshot, copy_nothing_that_is_encoded_at_once, recover
from infra.local.streams import reset_lost_positions, save_unread_records


def environment(home: Path, port: int) -> dict[str, str]:
    """All that the process, and so every function, finds in its environment."""
    scratch = home / "tmp"
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LC_ALL": "C.UTF-8",
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "AUTH": "true",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{scratch}/no-docker",
        "PERSIST_STATE": "1",
        "STATE_DIR": str(home / "state"),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(home / "objects"),
        "LAMBDA_WARM_TTL_SECONDS": "30",
        # Without it a function would call the real AWS.
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }


def serve(home: Path, port: int) -> None:
    """Run the cloud in this process until it is told to stop."""
    os.environ.clear()
    os.environ.update(environment(home, port))
    services = home / "services"
    recover(services)
    for folder in ("tmp", "scratch"):  # of functions that no longer run
        shutil.rmtree(home / folder, ignore_errors=True)
    for folder in ("tmp", "scratch", "state", "services", "objects"):
        (home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    unsaved_mark(home).touch()
    # Nagle and delayed acknowledgement together cost 50 ms a call of a function that logs one line.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True

    import ministack.app as ministack
    from ministack.core import persistence
    from ministack.services import lambda_svc, stepfunctions  # has taken `state` as the folder of its code

    # Of the services' files there is a whole set at any time; the code beside them is named by its content.
    persistence.STATE_DIR = str(services)
    deliveries, captures, objects = take_over(ministack, root_key.make(home))

    def status() -> dict[str, Any]:
        return {
            "home": str(home),
            "pid": os.getpid(),
            "workers": count_processes(),
            "running": running(stepfunctions),
            "recovering": deliveries.recovering,
            "saved_at": keeper.saved_at,
            "save_fault": keeper.fault,
            "unsaved": keeper.unsaved,
        }

    def save() -> dict[str, Any]:
        keeper.save()
        return status()

    def stop() -> None:
        """All as it is at this moment: MiniStack's own way would first fail what is under way, and save that."""
        if keeper.close():
            unsaved_mark(home).unlink(missing_ok=True)
        stop_all_processes()
        os._exit(0)

    def stop_when_told() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)

    guard = Guard(ministack.app, port, {STATUS_PATH: status, SAVE_PATH: save}, stop_when_told)
    ministack.app = guard
    keeper = Keeper(
        Snapshot(services, ministack._build_persistence_save_dict),
        activity=lambda: (guard.passed, deliveries.pending, steps_taken(stepfunctions)),
        is_working=is_any_busy,
        tidy=(captures.flush, bound_memory, stop_idle_processes),
        forget_code=keep_code_until_saved(lambda_svc),
        objects=objects,
    )
    ministack.save_all = keeper.save
    threading.Thread(target=resume_once_up, args=(port, deliveries), daemon=True).start()
    keeper.keep(home)
    sys.argv = sys.argv[:1]
    ministack.main()


def take_over(ministack: Any, key: root_key.Key) -> tuple[Deliveries, Buffer, Objects]:
    """Put what is ours into MiniStack's services, before any of them is asked or loads its state."""
    from ministack.core.responses import request_scope
    from ministack.services import dynamodb, eventbridge, firehose, lambda_svc, s3, stepfunctions

    root_key.make_it_the_only_root(key)
    keep_attributes_of_nested_resources()
    name_the_end_of_a_starting_function()
    copy_nothing_that_is_encoded_at_once()
    save_unread_records(dynamodb, lambda_svc)
    deliveries = Deliveries(eventbridge, lambda_svc, stepfunctions, request_scope)
    captures, objects = Buffer(firehose, request_scope), Objects(s3, request_scope)
    for part in (deliveries, captures, objects):
        part.take_over()
    load = ministack._load_persisted_state

    def load_persisted_state() -> None:
        load()
        reset_lost_positions(dynamodb, lambda_svc)

    ministack._load_persisted_state = load_persisted_state
    return deliveries, captures, objects


def unsaved_mark(home: Path) -> Path:
    """Lies in the cloud's folder from its start until all was saved at its end; to remove it takes no room."""
    return home / "unsaved"


def running(flows: Any) -> list[str]:
    """The executions under way, each as its state machine and its name."""
    found = [one for one in list(flows._executions._data.values()) if one["status"] == "RUNNING"]
    return [f"{one['stateMachineArn'].rpartition(':')[2]}:{one['name']}" for one in found]


def steps_taken(flows: Any) -> int:
    """Is another after each step of an execution."""
    return sum(len(one["events"]) for one in list(flows._executions._data.values()))


def resume_once_up(port: int, deliveries: Deliveries) -> None:
    """Functions that are called before the cloud listens find nobody to talk to."""
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    deliveries.resume()


def main() -> None:
    parser = argparse.ArgumentParser(description="The process of the local cloud.")
    parser.add_argument("--home", type=Path, required=True, help="folder that holds its state")
    parser.add_argument("--port", type=int, default=4566)
    arguments = parser.parse_args()
    serve(arguments.home.resolve(), arguments.port)


if __name__ == "__main__":
    main()
