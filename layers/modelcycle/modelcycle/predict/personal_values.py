"""What is captured in place of personal values: nothing, or the pseudonym that the value has in the rows of a run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger

from modelcycle.model.loaded_version import LoadedVersion
from modelcycle.predict.backoff import Backoff
from modelcycle.pseudonyms import Macs, pseudonym, pseudonym_key

MAX_KEYS = 8  # of models, as many as are in memory
FIRST_DELAY, MAX_DELAY = 2.0, 60.0  # seconds between two attempts to get a key
HIDDEN = ("drop", "mask", "encrypt")

Pseudonymise = Callable[[Any], Any]

logger = Logger(service="predict", child=True)


class PersonalValues:
    """Makes pseudonyms of values in requests, after their answer. Its keys are in memory only.

    Parameters
    ----------
    connect : returns what makes HMACs; called when a model with pseudonyms answers
    clock : monotonic, in seconds
    """

    def __init__(self, connect: Callable[[], Macs], clock: Callable[[], float] = time.monotonic) -> None:
        self.connect = connect
        self.clock = clock
        self._keys: dict[str, bytes] = {}  # the least recently made first
        self._backoff = Backoff(FIRST_DELAY, MAX_DELAY)

    def of(self, model: str, loaded: Mapping[int, LoadedVersion]) -> tuple[set[str], dict[str, Pseudonymise]]:
        """Return the columns whose values are hidden, and how the others are replaced, by column.

        If the key service does not answer, values that need it are hidden: an outcome that names them finds no
        prediction then.

        Parameters
        ----------
        loaded : all versions of the model in memory: what one of them treats is treated
        """
        hidden: set[str] = set()
        missing: dict[str, list[str]] = {}
        for version in loaded.values():
            signature = version.signature
            hidden |= {name for name, treatment in signature.personal.items() if treatment in HIDDEN}
            missing |= {
                name: signature.missing_values
                for name, treatment in signature.personal.items()
                if treatment == "pseudonymise"
            }
        wanted = {name: words for name, words in missing.items() if name not in hidden}
        key = self._key(model) if wanted else None
        if key is None:
            return hidden | {*wanted}, {}
        return hidden, {name: _with(key, words) for name, words in wanted.items()}

    def _key(self, model: str) -> bytes | None:
        key = self._keys.get(model)
        if key is not None or self._backoff.waiting(self.clock()):
            return key
        try:
            key = pseudonym_key(self.connect(), model)
        except Exception as error:  # whatever it is, rows are captured without these values
            self._backoff.failed(self.clock())
            logger.warning("no key for pseudonyms", extra={"model": model, "why": type(error).__name__})
            return None
        self._backoff.succeeded()
        if len(self._keys) >= MAX_KEYS:
            del self._keys[next(iter(self._keys))]
        self._keys[model] = key
        return key


def _with(key: bytes, words: list[str]) -> Pseudonymise:
    return lambda value: pseudonym(key, value, words)
