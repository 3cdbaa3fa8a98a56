"""The local cloud on Docker's bridge: what comes in there is passed on, and a closed cloud ends it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from infra.local.emulator import container_bridge
from infra.local.emulator.container_bridge import ContainerBridge
from infra.local.emulator.request_guard import RequestGuard


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    body = await reader.readexactly(300_000)
    writer.write(body[::-1])
    await writer.drain()
    writer.close()


def bridged(test: Callable[[str, int], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with a bridge that listens on 127.0.0.2, in front of a server on 127.0.0.1."""
    monkeypatch.setattr(container_bridge, "interface_address", lambda name: "127.0.0.2")
    monkeypatch.setattr(container_bridge, "LOOK_SECONDS", 0.01)

    async def run() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        bridge = ContainerBridge(port, interface="lo")
        task = asyncio.create_task(bridge.watch())
        try:
            for _ in range(200):
                await asyncio.sleep(0.01)
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.2", port)) == 0:
                        break
            await test("127.0.0.2", port)
        finally:
            task.cancel()
            bridge.close()
            server.close()

    try:
        with socket.socket() as probe:
            probe.bind(("127.0.0.2", 0))
            probe.setsockopt(socket.SOL_SOCKET, container_bridge.BIND_TO_DEVICE, b"lo\0")
    except OSError as error:
        pytest.skip(f"this system binds no socket to a device: {error}")
    asyncio.run(run())


def test_what_comes_in_is_passed_on_and_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        body = bytes(range(256)) * 1200
        writer.write(body[:300_000])
        await writer.drain()
        assert await asyncio.wait_for(reader.read(-1), 10) == body[:300_000][::-1]
        writer.close()

    bridged(test, monkeypatch)


def test_a_port_that_another_program_uses_there_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_bridge, "interface_address", lambda name: "127.0.0.2")
    with socket.socket() as other:
        other.bind(("127.0.0.2", 0))
        other.listen()
        bridge = ContainerBridge(other.getsockname()[1], interface="lo")

        async def run() -> None:
            await asyncio.wait_for(bridge.watch(), 0.2)

        with pytest.raises(TimeoutError):
            asyncio.run(run())
        assert bridge._server is None


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("host.docker.internal:4566", True), ("HOST.DOCKER.INTERNAL:4566", True), ("127.0.0.1:4566", True),
        ("host.docker.internal:4567", False), ("host.docker.internal", False),
        ("evil.host.docker.internal:4566", False), ("host.docker.internal.evil.example:4566", False),
    ],
)  # fmt: skip
def test_only_the_name_that_docker_gives_this_machine_passes(host: str, passes: bool) -> None:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sent.append("passed")

    async def send(message: Any) -> None:
        sent.append(message.get("status"))

    async def receive() -> dict[str, Any]:
        return {}

    guard = RequestGuard(app, 4566, {})
    scope = {"type": "http", "path": "/", "headers": [(b"host", host.encode())]}
    asyncio.run(guard(scope, receive, send))
    assert (sent[0] == "passed") == passes
