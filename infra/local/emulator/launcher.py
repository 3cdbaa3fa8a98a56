"""The process of the local cloud: MiniStack, made safe to leave running on a laptop.

    python -m infra.local.emulator.launcher --home .modelcycle --port 4566

MiniStack passes its environment on to every function, listens on all interfaces, answers any web page, and saves its
state only when it is stopped in an orderly way. This process therefore starts with an environment of its own, listens
on loopback only, refuses browsers, and saves its state all the time.
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

from infra.local.emulator import kinesis_records
from infra.local.emulator.alarms import Alarms
from infra.local.emulator.cloudwatch_rights import fill_in_cloudwatch_rights
from infra.local.emulator.container_bridge import ContainerBridge
from infra.local.emulator.containers import Containers
from infra.local.emulator.environment import environment, unsaved_marker
from infra.local.emulator.event_deliveries import EventDeliveries
from infra.local.emulator.firehose_buffer import FirehoseBuffer
from infra.local.emulator.fork_servers import ForkServers
from infra.local.emulator.function_processes import (
    count_processes,
    finish_captures,
    is_any_busy,
    stop_all_processes,
    stop_idle_processes,
)
from infra.local.emulator.kms_conditions import fill_in_kms_conditions
from infra.local.emulator.last_events import LastEvents, events_folder
from infra.local.emulator.leading_keys import fill_in_leading_keys
from infra.local.emulator.limits.api_payloads import limit_api_payloads
from infra.local.emulator.limits.ended_processes import tell_ends_as_aws
from infra.local.emulator.limits.function_settings import limit_function_settings
from infra.local.emulator.limits.histories import limit_histories
from infra.local.emulator.limits.payloads import limit_answers, limit_requests
from infra.local.emulator.limits.sandboxes import SandboxWatch
from infra.local.emulator.limits.states import limit_state_data
from infra.local.emulator.limits.temporary_files import TemporaryFolders
from infra.local.emulator.memory_bounds import bound_memory
from infra.local.emulator.object_tags import fill_in_object_tags
from infra.local.emulator.patches import (
    keep_attributes_of_nested_resources,
    keep_retained_resources_of_nested_stacks,
    report_errors_of_starting_functions,
    take_bodies_without_media_type_as_json,
)
from infra.local.emulator.request_guard import SAVE_PATH, STATUS_PATH, RequestGuard
from infra.local.emulator.root_access import restrict_root_to
from infra.local.emulator.state_saver import StateSaver, defer_code_removal
from infra.local.emulator.state_snapshot import StateSnapshot, finish_swap, skip_copies_while_encoding
from infra.local.emulator.stream_records import reset_lost_positions, save_unread_records
from infra.local.emulator.unwritten_objects import UnwrittenObjects
from infra.local.emulator.used_permissions import UsedPermissions, permissions_file
from infra.local.keys import Key, ensure_root_key

POLL_INTERVAL = 0.05  # seconds


def serve(home: Path, port: int) -> None:
    """Run the local cloud in this process until a signal stops it.

    Parameters
    ----------
    home : folder of its state
    port : on loopback
    """
    os.environ.clear()
    os.environ.update(environment(home, port))
    services = home / "services"
    finish_swap(services)
    for folder in ("tmp", "scratch"):  # used by functions that no longer run
        shutil.rmtree(home / folder, ignore_errors=True)
    for folder in ("tmp", "scratch", "state", "services", "objects"):
        (home / folder).mkdir(parents=True, exist_ok=True, mode=0o700)
    unsaved_marker(home).touch()
    # with Nagle's algorithm and delayed acknowledgements, a call of a function that logs one line takes 50 ms longer
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True

    import ministack.app as ministack
    from ministack.core import iam_evaluator, lambda_runtime, persistence
    from ministack.services import ecs, lambda_svc, stepfunctions  # the import takes `state` as the folder of its code

    # The services' files are replaced as one set; the code of functions, named by its content, stays outside.
    persistence.STATE_DIR = str(services)
    deliveries, firehose_buffer, unwritten_objects = install(ministack, ensure_root_key(home))
    keep_limits(home / "scratch")
    last_events = LastEvents(events_folder(home))
    last_events.install(lambda_runtime.ProvidedWorker)
    used_permissions = UsedPermissions(permissions_file(home))
    used_permissions.install(iam_evaluator)
    containers = Containers(stepfunctions, ecs, lambda_runtime, home)
    containers.install()
    fork_servers = ForkServers(home)

    def status() -> dict[str, Any]:
        return {
            "home": str(home),
            "pid": os.getpid(),
            "workers": count_processes(),
            "running": running_executions(stepfunctions),
            "recovering": deliveries.recovering,
            "saved_at": saver.saved_at,
            "save_fault": saver.fault,
            "unsaved": saver.unsaved,
        }

    def save() -> dict[str, Any]:
        saver.save()
        return status()

    def stop() -> None:
        """Save the state as it is now; MiniStack itself would first fail all executions and save that."""
        if saver.close():
            unsaved_marker(home).unlink(missing_ok=True)
        stop_all_processes()
        containers.stop()
        fork_servers.close()
        os._exit(0)

    def stop_on_signal() -> None:
        loop = asyncio.get_running_loop()

        def finish_first() -> None:
            finish_captures()
            firehose_buffer.flush()  # here: in the thread of the loop it would only be begun
            loop.call_soon_threadsafe(stop)

        def stop_soon() -> None:
            threading.Thread(target=finish_first, daemon=True).start()

        loop.add_signal_handler(signal.SIGTERM, stop_soon)

    bridge = ContainerBridge(port)
    tasks: list[asyncio.Task[None]] = []  # the loop itself holds no reference

    def begin() -> None:
        stop_on_signal()
        tasks.append(asyncio.get_running_loop().create_task(bridge.watch()))

    guard = RequestGuard(ministack.app, port, {STATUS_PATH: status, SAVE_PATH: save}, begin)
    ministack.app = guard
    saver = StateSaver(
        StateSnapshot(services, ministack._build_persistence_save_dict),
        activity=lambda: (guard.passed, deliveries.pending, count_steps(stepfunctions)),
        is_working=is_any_busy,
        before_save=(
            firehose_buffer.flush,
            bound_memory,
            stop_idle_processes,
            last_events.write,
            used_permissions.write,
        ),
        remove_unused_code=defer_code_removal(lambda_svc),
        object_files=unwritten_objects,
    )
    ministack.save_all = saver.save
    threading.Thread(target=resume_when_listening, args=(port, deliveries, fork_servers), daemon=True).start()
    saver.watch(home)
    sys.argv = sys.argv[:1]
    ministack.main()


def install(ministack: Any, root: Key) -> tuple[EventDeliveries, FirehoseBuffer, UnwrittenObjects]:
    """Change MiniStack's services, before any of them loads its state or answers a request."""
    from ministack.core import iam_actions, iam_evaluator
    from ministack.core.responses import request_scope
    from ministack.services import (
        cloudwatch,
        dynamodb,
        eventbridge,
        firehose,
        iam,
        kinesis,
        lambda_svc,
        s3,
        stepfunctions,
    )

    restrict_root_to(root)
    fill_in_leading_keys(dynamodb, iam, iam_actions, iam_evaluator)
    fill_in_cloudwatch_rights(iam_actions)
    fill_in_kms_conditions(iam_actions)
    fill_in_object_tags(iam_actions, iam_evaluator)
    keep_attributes_of_nested_resources()
    keep_retained_resources_of_nested_stacks()
    report_errors_of_starting_functions()
    take_bodies_without_media_type_as_json()
    skip_copies_while_encoding()
    save_unread_records(dynamodb, lambda_svc)
    kinesis_records.remove_read_records(kinesis, lambda_svc)
    deliveries = EventDeliveries(eventbridge, lambda_svc, stepfunctions, request_scope)
    firehose_buffer, unwritten_objects = FirehoseBuffer(firehose, request_scope), UnwrittenObjects(s3, request_scope)
    for part in (deliveries, firehose_buffer, unwritten_objects):
        part.install()
    alarms = Alarms(cloudwatch, stepfunctions, lambda_svc, request_scope)
    alarms.install()
    alarms.watch()
    load_state = ministack._load_persisted_state

    def load_persisted_state() -> None:
        load_state()
        reset_lost_positions(dynamodb, lambda_svc)
        kinesis_records.reset_lost_positions(kinesis, lambda_svc)

    ministack._load_persisted_state = load_persisted_state
    return deliveries, firehose_buffer, unwritten_objects


def keep_limits(scratch: Path) -> None:
    """Let MiniStack refuse what AWS would refuse, and end functions that exceed their settings.

    Parameters
    ----------
    scratch : folder for temporary files of functions
    """
    from ministack.core import lambda_runtime
    from ministack.services import apigateway_v1, lambda_svc, stepfunctions
    from ministack.services.cloudformation import provisioners

    worker = lambda_runtime.ProvidedWorker
    limit_state_data(stepfunctions)
    limit_histories(stepfunctions)
    limit_requests(lambda_svc)
    limit_answers(worker)
    limit_api_payloads(apigateway_v1)
    limit_function_settings(lambda_svc, provisioners)
    tell_ends_as_aws(worker)
    folders = TemporaryFolders(scratch)
    folders.install(lambda_svc, worker)
    SandboxWatch(lambda_runtime, folders).start()


def running_executions(flows: Any) -> list[str]:
    """Return the executions in progress, each as `state machine:name`."""
    return [
        f"{execution['stateMachineArn'].rpartition(':')[2]}:{execution['name']}"
        for execution in list(flows._executions._data.values())
        if execution["status"] == "RUNNING"
    ]


def count_steps(flows: Any) -> int:
    """Return the number of recorded steps of all executions, which changes with each step."""
    return sum(len(execution["events"]) for execution in list(flows._executions._data.values()))


def resume_when_listening(port: int, deliveries: EventDeliveries, fork_servers: ForkServers) -> None:
    """Start functions once the cloud listens: before that, a function can reach no service."""
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(POLL_INTERVAL)
    fork_servers.watch()
    deliveries.resume()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description="The process of the local cloud.")
    parser.add_argument("--home", type=Path, required=True, help="folder of its state")
    parser.add_argument("--port", type=int, default=4566)
    arguments = parser.parse_args()
    serve(arguments.home.resolve(), arguments.port)


if __name__ == "__main__":
    main()
