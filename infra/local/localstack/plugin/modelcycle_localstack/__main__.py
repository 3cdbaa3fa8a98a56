"""Starts LocalStack, reachable from this machine only: it would answer anybody as root."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

from twisted.internet import endpoints

from modelcycle_localstack import deletions, partitions
from modelcycle_localstack.executor import end_processes


def listen_on_loopback() -> None:
    """Bind every port to 127.0.0.1; LocalStack 4.14.0 binds IPv4 to all addresses, whatever GATEWAY_LISTEN says."""
    original = endpoints.TCP4ServerEndpoint.__init__

    def initialize(endpoint: Any, reactor: Any, port: int, backlog: int = 50, interface: str = "127.0.0.1") -> None:
        original(endpoint, reactor, port, backlog, interface or "127.0.0.1")

    endpoints.TCP4ServerEndpoint.__init__ = initialize


def run() -> NoReturn:
    """Run LocalStack until it is asked to stop.

    Some threads of LocalStack 4.14.0 never end: without `_exit` the process would stay after all services have stopped.
    """
    from localstack.runtime.main import main

    status = 1
    try:
        main()
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    end_processes()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    listen_on_loopback()
    deletions.install()
    partitions.install()
    run()
