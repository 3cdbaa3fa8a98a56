"""Items in groups that a request takes: of a size and a number at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def bounded_groups(
    items: Iterable[Item], size_of: Callable[[Item], int], max_size: int, max_items: int
) -> Iterator[list[Item]]:
    """Split items, in their order, into as few groups as possible of at most `max_size` and `max_items` each.

    An item that is larger than `max_size` is a group of its own.

    >>> list(bounded_groups(["a", "bb", "ccc", "d"], len, 3, 2))
    [['a', 'bb'], ['ccc'], ['d']]
    """
    group: list[Item] = []
    held = 0
    for item in items:
        size = size_of(item)
        if group and (held + size > max_size or len(group) == max_items):
            yield group
            group, held = [], 0
        group.append(item)
        held += size
    if group:
        yield group
