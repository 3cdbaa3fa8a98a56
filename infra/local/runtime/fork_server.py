"""Starts processes of functions as forks of one process that has imported the packages of their layers.

    python -s -S fork_server.py NAME ALIVE_FD READY_FD MODULE...

Runs in the functions' own Python, with their layers on PYTHONPATH, and imports nothing else but the standard library.
It binds the socket NAME in its working folder, imports the modules, and answers each request of `start_function.py`
with a fork. It kills a fork whose requester ends, and ends with all forks at the end of file of ALIVE_FD, which the
emulator holds open.

Linux only: on macOS, a process that has loaded Accelerate or Objective-C must not fork without `exec`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import random
import runpy
import selectors
import signal
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

MAX_REQUEST_BYTES = 1 << 20
MAX_WAITING = 64  # requests
REQUEST_TIMEOUT = 5.0  # seconds, until a request has been read
MAX_IDLE_SECONDS = 900.0  # then the process ends; the emulator starts another with the next function
# libraries read these when they are loaded, so a function with other values cannot be a fork
LOAD_TIME_PREFIXES = (
    "AWS_EXECUTION_ENV", "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL", "AWS_NEW_",
    "GOMP_", "JOBLIB_", "KMP_", "LOG_LEVEL", "LOKY_", "MKL_", "NPY_", "NUMPY_", "OMP_", "OPENBLAS_", "PANDAS_",
    "POWERTOOLS_", "PROTOCOL_BUFFERS_", "PYDANTIC_", "PYTHON", "SCIPY_", "SKLEARN_", "TZ",
)  # fmt: skip
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Request:
    """What a function's process needs.

    Parameters
    ----------
    folder : the working folder
    handler : as awslambdaric takes it
    environment : all variables
    outputs : file descriptors that become standard output and standard error
    """

    folder: str
    handler: str
    environment: dict[str, str]
    outputs: tuple[int, ...]


@dataclass
class Forks:
    """The forks that run, each with the connection of its requester."""

    by_connection: dict[socket.socket, int] = field(default_factory=dict)
    last_used: float = field(default_factory=time.monotonic)

    def end_all(self) -> None:
        """Kill every fork."""
        for pid in self.by_connection.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Import the modules, serve, and continue as a function in each fork."""
    name, alive, ready, modules = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
    del sys.path[0]  # the folder of this file
    listener = listen(name)
    started_with = dict(os.environ)
    preload(modules)
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        sys.exit("A module has started a thread, so this process cannot be forked: functions start without it.")
    os.write(ready, b"1")
    os.close(ready)
    gc.collect()
    gc.freeze()  # the collector of a fork does not write to the shared pages
    request = serve(listener, alive, started_with)
    if request is not None:
        become(request, started_with)
        runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


def listen(name: str) -> socket.socket:
    """Bind the socket before the modules are imported: waiting for a server takes less than importing beside it."""
    Path(name).unlink(missing_ok=True)
    os.umask(0o177)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    os.umask(0o022)
    listener.listen(MAX_WAITING)
    return listener


def preload(modules: list[str]) -> None:
    """Import what the layers have; a function that needs what is missing reports it as it would without a server."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError:
            continue
        except Exception as error:
            print(f"{module} was not imported ahead: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def serve(listener: socket.socket, alive: int, started_with: dict[str, str]) -> Request | None:
    """Fork for each request; return the request in a fork, and None when the server ends."""
    forks = Forks()
    wake, signals = socket.socketpair()
    for end in (wake, signals):
        end.setblocking(False)
    signal.set_wakeup_fd(signals.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    draining: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: draining.append(number))
    with selectors.DefaultSelector() as selector:
        for waited_for in (listener, wake, alive):
            selector.register(waited_for, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select(timeout=60.0):
                source = key.fileobj
                if source == alive:
                    forks.end_all()
                    return None
                if source is wake:
                    with contextlib.suppress(BlockingIOError):
                        wake.recv(4096)
                elif source is listener:
                    connection, _ = listener.accept()
                    request = _answer(connection, forks, started_with)
                    if request is not None:
                        selector.close()
                        _leave_server([listener, wake, signals], alive, forks)
                        return request
                    if connection in forks.by_connection:
                        selector.register(connection, selectors.EVENT_READ)
                elif source in forks.by_connection:  # the requester ended, or was killed
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(forks.by_connection[source], signal.SIGKILL)
                    selector.unregister(source)
            _report_ended(forks, selector)
            is_idle = time.monotonic() - forks.last_used > MAX_IDLE_SECONDS
            if not forks.by_connection and (draining or is_idle):
                return None


def _answer(connection: socket.socket, forks: Forks, started_with: dict[str, str]) -> Request | None:
    """Fork if a request can be met; return it in the fork only."""
    try:
        connection.settimeout(REQUEST_TIMEOUT)
        request = receive(connection)
    except (OSError, ValueError, struct.error):
        connection.close()
        return None
    pid = -1
    refused = refusal(request, started_with)
    if refused:
        print(f"{request.folder} starts without a fork: {refused}", file=sys.stderr, flush=True)
    elif not _has_hung_up(connection):
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            _end_with(server)
            connection.close()
            return request
    for descriptor in request.outputs:
        os.close(descriptor)
    try:
        connection.sendall(struct.pack("!i", pid))
    except OSError:
        if pid > 0:
            os.kill(pid, signal.SIGKILL)
    if pid > 0:
        forks.by_connection[connection] = pid
        forks.last_used = time.monotonic()
    else:
        connection.close()
    return None


def receive(connection: socket.socket) -> Request:
    """Read a request: its length, then folder, handler and variables, each ended by a zero byte.

    Raises
    ------
    OSError, ValueError, struct.error : it is incomplete or malformed
    """
    head, descriptors, _, _ = socket.recv_fds(connection, 4, 2)
    try:
        (length,) = struct.unpack("!I", head)
        if len(descriptors) != 2 or length > MAX_REQUEST_BYTES:
            raise ValueError(f"{len(descriptors)} descriptors, {length} bytes")
        body = b""
        while len(body) < length:
            part = connection.recv(length - len(body))
            if not part:
                raise ValueError("the request is incomplete")
            body += part
        folder, handler, *variables = os.fsdecode(body).split("\0")[:-1]
        environment = dict(variable.split("=", 1) for variable in variables)
    except (ValueError, struct.error):
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    return Request(folder, handler, environment, tuple(descriptors))


def refusal(request: Request, started_with: dict[str, str]) -> str | None:
    """Return why a function cannot be a fork of this process, or None if it can.

    Parameters
    ----------
    request : of the function's process
    started_with : the variables of this process before it imported anything
    """
    for name in sorted({*request.environment, *started_with}):
        expected = started_with.get(name)
        if name == "PYTHONPATH":  # the function's own code comes first
            expected = f"{request.environment.get('LAMBDA_TASK_ROOT')}:{expected}"
        if name.startswith(LOAD_TIME_PREFIXES) and request.environment.get(name) != expected:
            return f"{name} differs"
    try:
        own = {entry.name.partition(".")[0] for entry in Path(request.folder).iterdir()}
    except OSError as error:
        return str(error)
    hidden = own & set(sys.modules)
    return f"its code has modules of its own named {', '.join(sorted(hidden))}" if hidden else None


def become(request: Request, started_with: dict[str, str]) -> None:
    """Make this fork what a new interpreter would be: folder, variables, output, path of modules, random numbers."""
    set_by_imports = {name: value for name, value in os.environ.items() if started_with.get(name) != value}
    for descriptor, target in zip(request.outputs, (1, 2), strict=True):
        os.dup2(descriptor, target)
        os.close(descriptor)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(set_by_imports | request.environment)
    time.tzset()
    temporary = sys.modules.get("tempfile")
    if temporary is not None:
        vars(temporary)["tempdir"] = None  # it keeps the first TMPDIR that it sees
    # as `-m` has it: the working folder, PYTHONPATH (of which this process lacks the function's code), the library
    sys.path[:0] = [request.folder, request.environment["LAMBDA_TASK_ROOT"]]
    sys.argv = ["awslambdaric", request.handler]
    random.seed()
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


def _leave_server(sockets: list[socket.socket], alive: int, forks: Forks) -> None:
    """Close what belongs to the server, so that its end is seen by all who wait for it."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    for connection in [*sockets, *forks.by_connection]:
        connection.close()
    os.close(alive)


def _report_ended(forks: Forks, selector: selectors.BaseSelector) -> None:
    """Tell the requesters of forks that have ended their exit status."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        connection = next((c for c, fork in forks.by_connection.items() if fork == pid), None)
        if connection is None:
            continue
        with contextlib.suppress(OSError):
            connection.sendall(struct.pack("!i", os.waitstatus_to_exitcode(status)))
        with contextlib.suppress(KeyError):
            selector.unregister(connection)
        connection.close()
        del forks.by_connection[connection]
        forks.last_used = time.monotonic()


def _has_hung_up(connection: socket.socket) -> bool:
    """Return whether the requester was stopped while it waited."""
    connection.setblocking(False)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(REQUEST_TIMEOUT)


def _end_with(server: int) -> None:
    """End this fork when the server ends, however it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)


if __name__ == "__main__":
    main()
