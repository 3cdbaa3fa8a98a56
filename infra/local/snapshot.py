"""What the emulator's services hold, as one whole set of files on disk, of which only what changed is written.

MiniStack writes every service at each save, after a deep copy of all it holds: its cost grows with the age of a cloud.
Here each service is encoded without a copy, and written when its text is another than the one on disk.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

GetState = Callable[[], Any]
ATTEMPTS = 5  # a service may change under the encoder
# Encoded in this order, and as of one moment. How far a stream was read is older than what was written to the table, an
# event on its way older than what its function wrote, a run on record older than its execution: so a state that was
# loaded again repeats something, and loses nothing.
ORDER = ("lambda", "eventbridge", "dynamodb", "stepfunctions")
# Their `get_state` does nothing but copy, and they hold much.
NOT_COPIED = frozenset(
    ("cloudformation", "cloudwatch", "cloudwatch_logs", "dynamodb", "eventbridge", "firehose", "stepfunctions")
)


class Snapshot:
    """The set of files in `folder`, one a service.

    Parameters
    ----------
    folder : where the last whole set lies, and nothing else
    services : gives each service's name and what gets its state
    """

    def __init__(self, folder: Path, services: Callable[[], Mapping[str, GetState]]) -> None:
        self._folder = folder
        self._services = services
        self._on_disk: dict[str, bytes] = {}
        self._changed: dict[str, bytes] = {}

    @property
    def unsaved(self) -> tuple[str, ...]:
        """The services of which the disk holds an older state than the last `take` saw."""
        return tuple(sorted(self._changed))

    def take(self) -> str | None:
        """Encode what has changed since the last `write`; returns what could not be encoded, and why.

        Of the services in ORDER all are taken or none.
        """
        services = dict(self._services())
        rest = {name: _encode(name, get) for name, get in services.items() if name not in ORDER}
        together = self._together({name: services[name] for name in ORDER if name in services})
        faults = [f"{name}: {text}" for name, text in {**rest, **together}.items() if isinstance(text, Exception)]
        if any(isinstance(text, Exception) for text in together.values()):
            together = {}
        for name, text in {**rest, **together}.items():
            if isinstance(text, bytes) and self._is_news(name, text):
                self._changed[name] = text
            elif not isinstance(text, Exception):
                self._changed.pop(name, None)
        return "; ".join(faults) or None

    def write(self) -> int:
        """Swap in a set with what `take` found; returns the bytes written, 0 where nothing has changed.

        Raises
        ------
        OSError : no room, most often; the last set stays whole
        """
        if not self._changed:
            return 0
        following, before = _beside(self._folder)
        shutil.rmtree(following, ignore_errors=True)
        following.mkdir()
        for old in self._folder.glob("*.json"):
            if old.stem not in self._changed:
                os.link(old, following / old.name)
        for name, text in self._changed.items():
            (following / f"{name}.json").write_bytes(text)
        self._folder.rename(before)
        following.rename(self._folder)
        shutil.rmtree(before, ignore_errors=True)
        written = sum(map(len, self._changed.values()))
        self._on_disk |= {name: hashlib.blake2b(text).digest() for name, text in self._changed.items()}
        self._changed = {}
        return written

    def discard(self) -> None:
        """Forget what `take` found: it was half of something."""
        self._changed = {}

    def _together(self, services: Mapping[str, GetState]) -> dict[str, bytes | Exception | None]:
        """All of them as of one moment: the last one is the same before the others were encoded and after."""
        found = {name: _encode(name, get) for name, get in services.items()}
        if not any(isinstance(text, bytes) and self._is_news(name, text) for name, text in found.items()):
            return found
        last = next(reversed(found))
        for _ in range(ATTEMPTS):
            before = found[last]
            found = {name: _encode(name, get) for name, get in services.items()}
            if found[last] == before:
                break
        return found

    def _is_news(self, name: str, text: bytes) -> bool:
        return hashlib.blake2b(text).digest() != self._on_disk.get(name)


def recover(folder: Path) -> None:
    """Finish a swap that a kill cut in half, before anything reads the state."""
    following, before = _beside(folder)
    if not folder.exists() and before.exists():
        following.rename(folder)
    shutil.rmtree(following, ignore_errors=True)
    shutil.rmtree(before, ignore_errors=True)


def _beside(folder: Path) -> tuple[Path, Path]:
    return folder.with_name(f"{folder.name}.next"), folder.with_name(f"{folder.name}.before")


def _encode(name: str, get_state: GetState) -> bytes | Exception | None:
    """A service's file, or None where it has nothing to say."""
    from ministack.core import persistence

    fault: Exception | None = None
    for _ in range(ATTEMPTS):
        try:
            _here.sharing = name in NOT_COPIED
            state = get_state()
            if state is None:
                return None
            whole = {"__ministack_format__": persistence._state_format_version(name), "payload": state}
            # `dumps` encodes in C, some ten times faster than `dump` to a file
            return json.dumps(whole, default=persistence._json_default).encode()
        except Exception as error:
            fault = error
        finally:
            _here.sharing = False
    return fault


_here = threading.local()
_deepcopy = copy.deepcopy


def _copy_unless_encoded_at_once(x: Any, memo: Any = None, _nil: Any = ()) -> Any:
    return x if getattr(_here, "sharing", False) else _deepcopy(x, memo)


def copy_nothing_that_is_encoded_at_once() -> None:
    """Inside the emulator's process: `get_state` of the large services costs no copy, on the thread that encodes."""
    copy.deepcopy = _copy_unless_encoded_at_once
