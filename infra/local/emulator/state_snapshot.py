"""The state of the emulator's services on disk: one consistent set of files, of which only changed ones are written.

MiniStack copies and writes every service at each save, which costs more the longer a cloud has run. Here a service is
encoded without a copy, and written only if its text differs from the one on disk.
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
Encoded = bytes | Exception | None  # a service's file, why it could not be encoded, or None if it has no state

ENCODE_ATTEMPTS = 5  # a service may change while it is encoded
# These are encoded in this order, as of one moment: the position of a stream is never newer than its table, an event
# never newer than the result of its function, a run never newer than its execution. A restored state may therefore
# repeat something, but loses nothing.
CONSISTENT_SERVICES = ("lambda", "eventbridge", "dynamodb", "stepfunctions")
# large services whose `get_state` only copies
UNCOPIED_SERVICES = frozenset(
    ("cloudformation", "cloudwatch", "cloudwatch_logs", "dynamodb", "eventbridge", "firehose", "stepfunctions")
)


class StateSnapshot:
    """The set of files in a folder, one for each service.

    Parameters
    ----------
    folder : contains the last complete set, and nothing else
    services : returns each service's name and the function that returns its state
    """

    def __init__(self, folder: Path, services: Callable[[], Mapping[str, GetState]]) -> None:
        self._folder = folder
        self._services = services
        self._digests: dict[str, bytes] = {}  # of the files on disk
        self._changed: dict[str, bytes] = {}  # encoded, not yet on disk

    @property
    def unsaved(self) -> tuple[str, ...]:
        """The services whose state at the last `take` is not on disk."""
        return tuple(sorted(self._changed))

    def take(self) -> str | None:
        """Encode the services that have changed since the last `write`; return what failed and why, or None.

        CONSISTENT_SERVICES are taken together or not at all.
        """
        services = dict(self._services())
        others = {name: _encode(name, get) for name, get in services.items() if name not in CONSISTENT_SERVICES}
        consistent = self._encode_consistently(
            {name: services[name] for name in CONSISTENT_SERVICES if name in services}
        )
        failures = [
            f"{name}: {result}" for name, result in {**others, **consistent}.items() if isinstance(result, Exception)
        ]
        if any(isinstance(result, Exception) for result in consistent.values()):
            consistent = {}
        for name, result in {**others, **consistent}.items():
            if isinstance(result, bytes) and self._has_changed(name, result):
                self._changed[name] = result
            elif not isinstance(result, Exception):
                self._changed.pop(name, None)
        return "; ".join(failures) or None

    def write(self) -> int:
        """Replace the set on disk by one with the services that `take` encoded.

        Returns
        -------
        The number of bytes written; 0 if nothing has changed.

        Raises
        ------
        OSError : most often a full disk; the last set stays complete
        """
        if not self._changed:
            return 0
        next_folder, previous_folder = _swap_folders(self._folder)
        shutil.rmtree(next_folder, ignore_errors=True)
        next_folder.mkdir()
        for file in self._folder.glob("*.json"):
            if file.stem not in self._changed:
                os.link(file, next_folder / file.name)
        for name, text in self._changed.items():
            (next_folder / f"{name}.json").write_bytes(text)
        self._folder.rename(previous_folder)
        next_folder.rename(self._folder)
        shutil.rmtree(previous_folder, ignore_errors=True)
        written = sum(map(len, self._changed.values()))
        self._digests |= {name: _digest(text) for name, text in self._changed.items()}
        self._changed = {}
        return written

    def discard(self) -> None:
        """Forget what `take` encoded."""
        self._changed = {}

    def _encode_consistently(self, services: Mapping[str, GetState]) -> dict[str, Encoded]:
        """Encode services as of one moment: the last one is the same before and after the others are encoded."""
        encoded = {name: _encode(name, get) for name, get in services.items()}
        if not any(isinstance(text, bytes) and self._has_changed(name, text) for name, text in encoded.items()):
            return encoded
        last = next(reversed(encoded))
        for _ in range(ENCODE_ATTEMPTS):
            before = encoded[last]
            encoded = {name: _encode(name, get) for name, get in services.items()}
            if encoded[last] == before:
                break
        return encoded

    def _has_changed(self, name: str, text: bytes) -> bool:
        return _digest(text) != self._digests.get(name)


def finish_swap(folder: Path) -> None:
    """Complete a `write` that a kill interrupted. Call it before anything reads the state."""
    next_folder, previous_folder = _swap_folders(folder)
    if not folder.exists() and previous_folder.exists():
        next_folder.rename(folder)
    shutil.rmtree(next_folder, ignore_errors=True)
    shutil.rmtree(previous_folder, ignore_errors=True)


def skip_copies_while_encoding() -> None:
    """Make `copy.deepcopy` return its argument while this module encodes one of UNCOPIED_SERVICES, on that thread."""
    copy.deepcopy = _deepcopy_unless_encoding


def _swap_folders(folder: Path) -> tuple[Path, Path]:
    """Return the folder of the next set and that of the previous one, which exist only during a `write`."""
    return folder.with_name(f"{folder.name}.next"), folder.with_name(f"{folder.name}.before")


def _digest(text: bytes) -> bytes:
    return hashlib.blake2b(text).digest()


def _encode(name: str, get_state: GetState) -> Encoded:
    from ministack.core import persistence

    failure: Exception | None = None
    for _ in range(ENCODE_ATTEMPTS):
        try:
            _thread.skips_copies = name in UNCOPIED_SERVICES
            state = get_state()
            if state is None:
                return None
            content = {"__ministack_format__": persistence._state_format_version(name), "payload": state}
            # `dumps` encodes in C, some ten times faster than `dump` to a file
            return json.dumps(content, default=persistence._json_default).encode()
        except Exception as error:
            failure = error
        finally:
            _thread.skips_copies = False
    return failure


_thread = threading.local()
_deepcopy = copy.deepcopy


def _deepcopy_unless_encoding(x: Any, memo: Any = None, _nil: Any = ()) -> Any:
    return x if getattr(_thread, "skips_copies", False) else _deepcopy(x, memo)
