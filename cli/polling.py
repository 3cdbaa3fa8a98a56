"""Polls a place until something has happened there."""

from __future__ import annotations

import time
from collections.abc import Iterator

from cli.place import Place

POLL_SECONDS = {"local": 0.2, "localstack": 0.3, "aws": 1.0}  # between two requests


def pause(place: Place) -> None:
    """Sleep until the next request."""
    time.sleep(POLL_SECONDS[place.name])


def attempts(place: Place, timeout: float) -> Iterator[None]:
    """Yield immediately, then after each pause until `timeout` seconds have passed."""
    deadline = time.monotonic() + timeout
    yield
    while time.monotonic() < deadline:
        pause(place)
        yield
