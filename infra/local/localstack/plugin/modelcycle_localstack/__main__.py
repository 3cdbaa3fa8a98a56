"""Starts LocalStack, reachable from this machine only: it would answer anybody as root."""

from __future__ import annotations

from typing import Any

from twisted.internet import endpoints

from modelcycle_localstack.partitions import install


def listen_on_loopback() -> None:
    """Bind every port to 127.0.0.1; LocalStack 4.14.0 binds IPv4 to all addresses, whatever GATEWAY_LISTEN says."""
    original = endpoints.TCP4ServerEndpoint.__init__

    def initialize(endpoint: Any, reactor: Any, port: int, backlog: int = 50, interface: str = "127.0.0.1") -> None:
        original(endpoint, reactor, port, backlog, interface or "127.0.0.1")

    endpoints.TCP4ServerEndpoint.__init__ = initialize


if __name__ == "__main__":
    listen_on_loopback()
    install()
    from localstack.runtime.main import main

    main()
