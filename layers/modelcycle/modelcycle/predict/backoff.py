"""When to try again after a failure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Backoff:
    """Doubles the delay with every failure in a row.

    Parameters
    ----------
    first, longest : seconds to wait after the first failure, and at most

    Examples
    --------
    >>> backoff = Backoff(first=2, longest=8)
    >>> backoff.failed(now=100)
    >>> backoff.waiting(now=101), backoff.waiting(now=102)
    (True, False)
    >>> backoff.failed(now=102)
    >>> backoff.waiting(now=105)
    True
    """

    first: float
    longest: float
    delay: float = 0.0  # seconds; 0 after a success
    until: float = float("-inf")

    def failed(self, now: float) -> None:
        self.delay = min(max(2 * self.delay, self.first), self.longest)
        self.until = now + self.delay

    def succeeded(self) -> None:
        self.delay, self.until = 0.0, float("-inf")

    def waiting(self, now: float) -> bool:
        """Return whether it is too early to try again."""
        return now < self.until

    @property
    def failing(self) -> bool:
        """Whether the last attempt failed."""
        return self.delay > 0
