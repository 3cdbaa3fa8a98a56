"""JSON pointers (RFC 6901)."""

from __future__ import annotations


def json_pointer(*path: str | int) -> str:
    """Return the pointer to a value, by the keys and positions that lead to it.

    >>> json_pointer("instances", 0, "km/h")
    '/instances/0/km~1h'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def unescaped(part: str) -> str:
    """Return the key that a part of a pointer stands for.

    >>> unescaped("km~1h")
    'km/h'
    """
    return part.replace("~1", "/").replace("~0", "~")
