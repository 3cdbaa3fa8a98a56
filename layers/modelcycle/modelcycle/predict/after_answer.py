"""Work that waits until the answer has left: captures, the shadow version, log lines and metrics.

On Lambda the runtime's own thread does it, between the answer that it has posted and its request for the next event:
the environment is not frozen before that, and no second thread competes with the next request. Elsewhere (the local
cloud) processes are never frozen, and a thread works beside the requests; no request waits for it. The same thread does
it on Lambda if a later runtime no longer calls us: then work may wait, frozen, for the next request or for SIGTERM.

Work waits in memory, at most MAX_WAITING_BYTES; what does not fit is refused. SIGTERM ends the process after the
waiting work is done, or after SHUTDOWN_SECONDS.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple, Protocol

from aws_lambda_powertools import Logger

from modelcycle.predict.lambda_runtime import call_after_answers, register_extension

MAX_WAITING_BYTES = 8 * 2**20
SHUTDOWN_SECONDS = 0.4  # Lambda kills a runtime with an internal extension 0.5 s after SIGTERM

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
    """Runs work after the answer, in order, never two at a time.

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
        self._may_freeze = False  # as Lambda does between two requests
        self._is_told = False  # whether the runtime calls `_answer_has_left`
        self._has_left = True  # the last answer, as far as we are told
        self._thread: threading.Thread | None = None

    def start(self, runtime_api: str | None = None) -> None:
        """Prepare a function's process for work after answers, and for SIGTERM; called while its module is imported.

        Parameters
        ----------
        runtime_api : the variable AWS_LAMBDA_RUNTIME_API; None outside a function's process
        """
        if runtime_api is None:
            return
        self._may_freeze = register_extension(runtime_api)
        call_after_answers(self._answer_has_left)
        self._finish_at_sigterm()

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
            self._has_left = not self._is_told
            if not self._is_told:
                self._changed.notify_all()
        if not (self._is_told and self._may_freeze):
            self._start_thread()
        return True

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

    def _answer_has_left(self) -> None:
        """Called by the runtime when the answer is posted, and before the first request."""
        if self._may_freeze:
            self._is_told = True
            self._work_off()
            return
        with self._changed:
            self._is_told = self._has_left = True
            if self._waiting:
                self._changed.notify_all()

    def _start_thread(self) -> None:
        if self._thread is None:
            if self._may_freeze:
                logger.warning("this runtime does not say when an answer has left: captures may wait for a request")
            self._thread = threading.Thread(target=self._work_beside_requests, name="after-answer", daemon=True)
            self._thread.start()

    def _work_beside_requests(self) -> None:
        while True:
            with self._changed:
                # an answer that is being posted is left alone: both would only slow each other down
                self._changed.wait_for(lambda: self._waiting and self._has_left, timeout=self.held.seconds_until_due())
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


def _ignored(number: int, frame: FrameType | None) -> None:
    """Keep SIGTERM from ending the process before the waiting work is done."""
