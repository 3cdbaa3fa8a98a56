"""The load: connections that each send the next request when the last is answered, in a process of their own.

Reads a `Load` as JSON from standard input and prints a `Measured` as JSON. HTTP/1.1 with kept connections, without a
library: the load must cost less than what it measures.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

TIMEOUT = 60.0  # seconds of one answer
HOST = "(host)"  # in a request, until its connection is known


@dataclass(frozen=True)
class Load:
    """Requests to send.

    Parameters
    ----------
    addresses : host and port; connection n uses address n modulo their number
    path, headers, bodies : of the requests; bodies are sent one after the other, then again from the first
    exclusive : whether an address answers one request at a time, as an environment of Lambda does
    """

    addresses: list[tuple[str, int]]
    path: str
    headers: dict[str, str]
    bodies: list[str]
    connections: int
    seconds: float
    exclusive: bool = False


@dataclass
class Measured:
    """Milliseconds of the answers, in the order in which they came, and how many were no answers."""

    milliseconds: list[float] = field(default_factory=list)
    failed: int = 0
    seconds: float = 0.0
    example: str = ""


async def run(load: Load) -> Measured:
    """Send requests until the time is over."""
    measured = Measured()
    head = "".join(f"{name}: {value}\r\n" for name, value in load.headers.items())
    requests = [
        f"POST {load.path} HTTP/1.1\r\nHost: {HOST}\r\n{head}Content-Length: {len(body.encode())}\r\n\r\n{body}"
        for body in load.bodies
    ]
    turns = {address: asyncio.Lock() for address in map(tuple, load.addresses)} if load.exclusive else {}
    started = time.perf_counter()
    await asyncio.gather(
        *(
            _connection(requests, load, number, measured, started + load.seconds, turns)
            for number in range(load.connections)
        )
    )
    measured.seconds = time.perf_counter() - started
    return measured


async def _connection(
    requests: list[str], load: Load, number: int, measured: Measured, end: float, turns: dict[Any, asyncio.Lock]
) -> None:
    host, port = load.addresses[number % len(load.addresses)]
    wire = [request.replace(HOST, f"{host}:{port}", 1).encode() for request in requests]
    turn = turns.get((host, port))
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
    position = number
    while (started := time.perf_counter()) < end:
        position += 1
        try:
            if turn:
                await turn.acquire()
            try:
                if streams is None:
                    streams = await asyncio.open_connection(host, port)
                status, body, keeps = await asyncio.wait_for(_exchange(*streams, wire[position % len(wire)]), TIMEOUT)
            finally:
                if turn:
                    turn.release()
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError):
            measured.failed += 1
            streams = None
            await asyncio.sleep(0.01)
            continue
        if not keeps:
            streams[1].close()
            streams = None
        if status != 200 or b'"statusCode": 4' in body or b'"statusCode": 5' in body or b"errorType" in body:
            measured.failed += 1
            measured.example = body[:300].decode(errors="replace")
            continue
        measured.milliseconds.append((time.perf_counter() - started) * 1000)
    if streams:
        streams[1].close()


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
) -> tuple[int, bytes, bool]:
    """Return status and body of the answer, and whether the connection stays open."""
    writer.write(request)
    # acknowledged at once: a server that sends head and body apart, with Nagle's algorithm on, would wait 40 ms for it
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split(" ", 2)[1])
    keeps = "connection: close" not in head and not head.startswith("http/1.0")
    if "transfer-encoding: chunked" in head:
        body = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        return status, body, keeps
    length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length:")), None)
    if length is None:
        return status, await reader.read(), False
    return status, await reader.readexactly(length), keeps


if __name__ == "__main__":
    print(json.dumps(asdict(asyncio.run(run(Load(**json.load(sys.stdin)))))))
