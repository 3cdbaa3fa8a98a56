"""Lets functions in Docker containers reach the local cloud, which listens on loopback only.

A container of `sam local` knows this machine as `host.docker.internal`. Docker Desktop carries that to loopback by
itself. Docker on Linux carries it to its bridge, so the cloud also listens there, for packets that come in over the
bridge and for no others. Requests are signed there as everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import sys

CONTAINER_HOST = "host.docker.internal"
BRIDGE = "docker0"
LOOK_SECONDS = 2.0  # Docker may start after the cloud
CHUNK_BYTES = 64 * 1024
SIOCGIFADDR = 0x8915  # netdevice(7)
BIND_TO_DEVICE = 25  # SO_BINDTODEVICE, socket(7)


class ContainerBridge:
    """Listens on Docker's bridge and passes connections on to loopback.

    Parameters
    ----------
    port : of both
    interface : the bridge
    """

    def __init__(self, port: int, interface: str = BRIDGE) -> None:
        self._port = port
        self._interface = interface
        self._server: asyncio.Server | None = None
        self._address: str | None = None

    async def watch(self) -> None:
        """Listen as soon as there is a bridge, and again when it gets another address; never ends."""
        while sys.platform == "linux":
            address = interface_address(self._interface)
            if address != self._address:
                self.close()
                # another program may use the port there, or an old kernel may ask for more permissions
                with contextlib.suppress(OSError):
                    await self._listen(address)
            await asyncio.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.close()
        self._server = self._address = None

    async def _listen(self, address: str | None) -> None:
        if address is None:
            return
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # an address of this machine can be reached from its other networks too, this socket cannot
            listener.setsockopt(socket.SOL_SOCKET, BIND_TO_DEVICE, self._interface.encode() + b"\0")
            listener.bind((address, self._port))
            self._server = await asyncio.start_server(self._pass_on, sock=listener)
        except OSError:
            listener.close()
            raise
        self._address = address

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))


def bridge_address() -> str | None:
    """Return the address of Docker's bridge, or None if there is none."""
    return interface_address(BRIDGE) if sys.platform == "linux" else None


def interface_address(name: str) -> str | None:
    """Return the IPv4 address of a network interface, or None if there is no such interface, or it has none.

    Examples
    --------
    >>> interface_address("lo") in ("127.0.0.1", None)
    True
    >>> interface_address("none-such") is None
    True
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
        except OSError:
            return None
    return socket.inet_ntoa(answer[20:24])


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends; then the other side gets the end too."""
    try:
        while chunk := await reader.read(CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass
    finally:
        with contextlib.suppress(OSError):
            writer.close()
