"""The process of the local cloud: MiniStack, made safe to leave running on a laptop.

    python -m infra.local.launcher --home .modelcycle --port 4566

MiniStack hands its whole environment to every function, listens everywhere, answers any web page, and saves its state
only when it is stopped in good order. So this process builds its environment from nothing, listens on loopback alone,
stands behind a guard, and has a keeper.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socketserver
import sys
import time
from pathlib import Path
from typing import Any

from infra.local.guard import SAVE_PATH, STATUS_PATH, Guard
from infra.local.keeper import Keeper, count_processes, keep_code_until_saved, recover
from infra.local.mends import keep_attributes_of_nested_resources, name_the_end_of_a_starting_function


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
    # Nagle and delayed acknowledgement together cost 50 ms a call of a function that logs one line.
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True

    import ministack.app as ministack
    from ministack.core import persistence
    from ministack.services import lambda_svc  # has taken `state` as the folder of its code

    keep_attributes_of_nested_resources()
    name_the_end_of_a_starting_function()
    # Of the services' files there is a whole set at any time; the code beside them is named by its content.
    persistence.STATE_DIR = str(services)
    keeper = Keeper(services, ministack._build_persistence_save_dict, keep_code_until_saved(lambda_svc))
    ministack.save_all = keeper.save

    def status() -> dict[str, Any]:
        return {
            "home": str(home),
            "pid": os.getpid(),
            "workers": count_processes(),
            "saved_seconds_ago": round(time.time() - keeper.saved_at, 1),
            "save_fault": keeper.fault,
        }

    def save() -> dict[str, Any]:
        keeper.save()
        return status()

    ministack.app = Guard(ministack.app, port, {STATUS_PATH: status, SAVE_PATH: save})
    keeper.start()
    sys.argv = sys.argv[:1]
    ministack.main()


def main() -> None:
    parser = argparse.ArgumentParser(description="The process of the local cloud.")
    parser.add_argument("--home", type=Path, required=True, help="folder that holds its state")
    parser.add_argument("--port", type=int, default=4566)
    arguments = parser.parse_args()
    serve(arguments.home.resolve(), arguments.port)


if __name__ == "__main__":
    main()
