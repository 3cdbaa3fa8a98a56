"""Kills the process of a function that exceeds its MemorySize or its EphemeralStorage.

Lambda's kernel does both at once; without root, this thread looks: at the memory of each working function twenty times
a second, at its temporary files four times. Idle processes are frozen on Lambda, and are not looked at.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any

from infra.local.emulator.limits.process_memory import exceeds, is_measurable, runtime_process
from infra.local.emulator.limits.temporary_files import TemporaryFolders, used_bytes
from infra.local.quotas import MIB

POLL_SECONDS = 0.05
POLLS_FOR_FILES = 5  # temporary files are looked at with each fifth look at the memory
DEFAULT_MEMORY, DEFAULT_FILES = 128, 512  # MB, AWS's own

logger = logging.getLogger(__name__)


class SandboxWatch:
    """The thread that looks.

    Parameters
    ----------
    runtime : MiniStack's module of processes
    folders : of temporary files
    """

    def __init__(self, runtime: Any, folders: TemporaryFolders) -> None:
        self._runtime = runtime
        self._folders = folders

    def start(self) -> None:
        """Look in the background, until the emulator ends."""
        if is_measurable():
            threading.Thread(target=self._watch, name="sandboxes", daemon=True).start()

    def _watch(self) -> None:
        pause, polls = threading.Event(), 0
        while not pause.wait(POLL_SECONDS):
            polls += 1
            try:
                self.look(files_too=polls % POLLS_FOR_FILES == 0)
            except Exception:
                logger.exception("the limits of functions were not checked")

    def look(self, *, files_too: bool) -> None:
        """Kill each working process that exceeds a limit.

        Parameters
        ----------
        files_too : whether to look at temporary files as well
        """
        for workers in list(self._runtime._workers.values()):
            for worker in list(workers):
                if worker.in_use and worker._proc is not None:
                    self._check(worker, files_too)

    def _check(self, worker: Any, files_too: bool) -> None:
        started = worker._proc
        if started is None or started.poll() is not None:
            return
        pid = runtime_process(started.pid)
        try:
            descriptor = os.pidfd_open(pid)  # so that no other process can be killed that gets this id later
        except OSError:
            return
        try:
            exceeded = self._exceeded(worker, pid, files_too)
            if exceeded and worker._proc is started and runtime_process(started.pid) == pid:
                worker.exceeded = exceeded
                name = worker.config.get("FunctionName")
                logger.warning("%s exceeded its %s: its process was killed", name, exceeded)
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        except ProcessLookupError:
            worker.exceeded = None
        finally:
            os.close(descriptor)

    def _exceeded(self, worker: Any, pid: int, files_too: bool) -> str | None:
        """Return the setting that a process exceeds."""
        if exceeds(pid, int(worker.config.get("MemorySize", DEFAULT_MEMORY)) * MIB):
            return "MemorySize"
        folder = self._folders.folder_of(worker) if files_too else None
        size = int((worker.config.get("EphemeralStorage") or {}).get("Size", DEFAULT_FILES))
        if folder is not None and used_bytes(folder) > size * MIB:
            return "EphemeralStorage"
        return None
