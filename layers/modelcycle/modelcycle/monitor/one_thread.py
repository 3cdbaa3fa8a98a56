"""Small models in one thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread for scikit-learn: on a busy machine, threads of small models wait for each other ten times as long
    as they work.

    The limit holds for libraries that are loaded, so they are loaded before it is set.
    """
    import sklearn.ensemble  # noqa: F401

    with threadpool_limits(1):
        yield
