"""Starts a function as a fork of a fork server, and stands for it: ends when it ends, with its status.

SIGTERM goes to the fork, which may have something to finish.

    python -I -S start_function.py SOCKET PYTHON HANDLER

Runs for every process of a function, so it imports little. Where no server answers, it becomes what a function's
process is without one: only the start takes longer.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import sys

MAX_WAIT = 30.0  # seconds, for a server that still imports


def main() -> None:
    """Ask for a fork and wait for its end, or execute the runtime here."""
    path, python, handler = sys.argv[1:]
    try:
        started = request_fork(path, handler)
    except (OSError, struct.error):
        started = None
    if started is None:
        os.execv(python, [python, "-s", "-S", "-m", "awslambdaric", handler])  # noqa: S606 - this program becomes the runtime
    connection, fork = started
    name_by(fork)
    signal.signal(signal.SIGTERM, lambda number, _: end_fork(fork, number))
    end_with(wait_for_status(connection))


def name_by(fork: int) -> None:
    """Tell who looks at this process which fork it stands for: the emulator bounds the fork's memory."""
    try:
        with open("/proc/self/comm", "w") as name:  # noqa: PTH123 - pathlib is not imported
            name.write(f"fork:{fork}")
    except OSError:
        return  # its memory is not bounded


def end_fork(fork: int, number: int) -> None:
    """Send a signal to the fork; its end is this program's end."""
    try:
        os.kill(fork, number)
    except ProcessLookupError:
        return  # it has ended already, and its status is on the way


def request_fork(path: str, handler: str) -> tuple[socket.socket, int] | None:
    """Return the connection to the server of a fork that has started, and its id, or None if the server refuses.

    Raises
    ------
    OSError : there is no server, or it ended or did not answer
    struct.error : it ended within its answer
    """
    folder = os.getcwd()  # noqa: PTH109 - importing pathlib would take as long as the rest
    connection = socket.socket(socket.AF_UNIX)
    parent, name = os.path.split(path)
    os.chdir(parent)  # the path of a socket has at most 107 bytes
    try:
        connection.connect(name)
    finally:
        os.chdir(folder)
    variables = [b"%b=%b" % variable for variable in os.environb.items()]
    body = b"\0".join([os.fsencode(folder), os.fsencode(handler), *variables, b""])
    connection.settimeout(MAX_WAIT)
    socket.send_fds(connection, [struct.pack("!I", len(body))], [1, 2])
    connection.sendall(body)
    (pid,) = struct.unpack("!i", connection.recv(4))
    connection.settimeout(None)
    return (connection, pid) if pid > 0 else None


def wait_for_status(connection: socket.socket) -> int:
    """Return the exit status of the fork, negative for a signal; a server that ends has killed its forks."""
    try:
        return int(struct.unpack("!i", connection.recv(4))[0])
    except (OSError, struct.error):
        return -signal.SIGKILL


def end_with(status: int) -> None:
    """End as the fork did."""
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -status)
    os._exit(status & 0xFF)


if __name__ == "__main__":
    main()
