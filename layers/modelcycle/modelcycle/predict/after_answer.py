"""Work that waits until the answer has left: captures, the shadow version, log lines and metrics.

One thread does it. On Lambda it belongs to an internal extension: it works between the answer and its request for the
next event, and Lambda does not freeze the environment before that. Elsewhere (the local cloud, tests) processes are
never frozen, and the thread works beside the requests; no request waits for it.

Work waits in memory, at most MAX_WAITING_BYTES; what does not fit is refused. SIGTERM ends the process after the
waiting work is done, or after SHUTDOWN_SECONDS.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple, Protocol

from aws_lambda_powertools import Logger

from modelcycle.predict.lambda_extension import Invocation, LambdaExtension

MAX_WAITING_BYTES = 8 * 2**20
SHUTDOWN_SECONDS = 0.4  # Lambda kills a runtime with an internal extension 0.5 s after SIGTERM
POST_SECONDS = 1.0  # longest wait for the answer to be posted; then the work starts anyway
UNSEEN_POST_SECONDS = 0.01  # the same, once the runtime has proved not to be awslambdaric
BESIDE_SECONDS = 0.02  # the same, where the work may be done beside the next requests
POLL_SECONDS = 0.0005

logger = Logger(service="predict", child=True)


class Held(Protocol):
    """What a work leaves for later, to be sent together with that of other works."""

    def seconds_until_due(self) -> float | None:
        """Return the time until it has to be sent, 0 if that is now, None if there is nothing."""

    def send(self, last: bool) -> None:
        """Send it; `last` if there will be no other chance."""


class Work(NamedTuple):
    run: Callable[[], None]
    size: int  # bytes that it keeps in memory


class AfterAnswer:
    """Runs work after the answer, in order, in one thread.

    Parameters
    ----------
    held : is sent when it is due
    """

    def __init__(self, held: Held) -> None:
        self.held = held
        self._waiting: deque[Work] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._working = threading.Lock()
        self._answered = ""  # request id of the last answer
        self._extension: LambdaExtension | None = None
        self._runtime_thread = threading.get_ident()
        self._post_seconds = POST_SECONDS
        self._thread: threading.Thread | None = None

    def start(self, runtime_api: str | None = None) -> None:
        """Register with Lambda, and take over SIGTERM; called while the function's module is imported.

        Parameters
        ----------
        runtime_api : the variable AWS_LAMBDA_RUNTIME_API; None outside a function's process
        """
        if runtime_api is None:
            return
        self._runtime_thread = threading.get_ident()
        self._extension = LambdaExtension.register(runtime_api)
        self._finish_at_sigterm()
        self._start_thread()

    def run(self, work: Callable[[], None], size: int) -> bool:
        """Have `work` done after the answer to the present request; return False if too much is waiting.

        Parameters
        ----------
        size : bytes that the work keeps in memory until it is done
        """
        with self._changed:
            if self._waiting and self._waiting_bytes + size > MAX_WAITING_BYTES:
                return False
            self._waiting.append(Work(work, size))
            self._waiting_bytes += size
        self._start_thread()
        return True

    def answered(self, request_id: str) -> None:
        """Say that the handler is done, whatever its answer: only then the work begins.

        Without it, Lambda would wait for the extension until the function's time-out.
        """
        with self._changed:
            self._answered = request_id
            self._changed.notify_all()

    def finish(self, seconds: float = SHUTDOWN_SECONDS) -> bool:
        """Do all that waits and send all that is held; return whether that was possible in time."""
        deadline = time.monotonic() + seconds
        if not self._working.acquire(timeout=seconds):
            return False
        try:
            while self._take_work() and time.monotonic() < deadline:
                pass
            self._send(last=True)
            return not self._waiting
        finally:
            self._working.release()

    def _start_thread(self) -> None:
        if self._thread is None:
            serve = self._serve_beside_requests if self._extension is None else self._serve_extension
            self._thread = threading.Thread(target=serve, name="after-answer", daemon=True)
            self._thread.start()

    def _serve_beside_requests(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting and self._answered, timeout=self.held.seconds_until_due())
            self._wait_until_posted(BESIDE_SECONDS)  # until then both would only slow each other down
            self._work_off()

    def _serve_extension(self) -> None:
        assert self._extension is not None
        while True:
            invocation = self._extension.next()
            self._wait_until_answered(invocation)
            self._work_off()

    def _work_off(self) -> None:
        with self._working:
            while self._take_work():
                pass
            if self.held.seconds_until_due() == 0:
                self._send(last=False)

    def _take_work(self) -> bool:
        """Do the first work that waits; return False if there is none."""
        with self._changed:
            if not self._waiting:
                return False
            work = self._waiting.popleft()
            self._waiting_bytes -= work.size
        try:
            work.run()
        except Exception as error:  # the other works and the next requests do not depend on it
            logger.error("work after an answer failed", extra={"error": type(error).__name__})
        return True

    def _send(self, last: bool) -> None:
        try:
            self.held.send(last)
        except Exception as error:
            logger.error("work after an answer failed", extra={"error": type(error).__name__})

    def _wait_until_answered(self, invocation: Invocation) -> None:
        """Wait until the handler is done, and the runtime has posted its answer and waits for the next request."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._answered == invocation.request_id, timeout=max(invocation.deadline - time.time(), 0)
            )
        seen = self._wait_until_posted(self._post_seconds)
        self._post_seconds = POST_SECONDS if seen else UNSEEN_POST_SECONDS

    def _wait_until_posted(self, seconds: float) -> bool:
        """Wait until the runtime waits for a request, so that the last answer is posted; return whether it does."""
        deadline = time.monotonic() + seconds
        while not _waits_for_request(self._runtime_thread):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _finish_at_sigterm(self) -> None:
        """Do what waits when the process is asked to end.

        While the runtime waits for a request, its thread is in C code, and Python runs no signal handlers. The number
        of the signal, however, arrives in the pipe of `set_wakeup_fd` at once, and a thread of ours waits for it.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
            return
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, _ignored)

        def wait_for_sigterm() -> None:
            while os.read(reader, 1) != bytes([signal.SIGTERM]):
                pass
            try:
                self.finish()
            finally:
                os._exit(128 + signal.SIGTERM)  # sys.exit would only end this thread

        threading.Thread(target=wait_for_sigterm, name="sigterm", daemon=True).start()


def _waits_for_request(thread: int) -> bool:
    """Return whether the runtime (awslambdaric) has posted the last answer and waits for the next request."""
    frame: FrameType | None = sys._current_frames().get(thread)
    while frame is not None:
        if frame.f_code.co_name == "wait_next_invocation":
            return True
        frame = frame.f_back
    return False


def _ignored(number: int, frame: FrameType | None) -> None:
    """Keep SIGTERM from ending the process before the waiting work is done."""
