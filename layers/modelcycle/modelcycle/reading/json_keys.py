"""The columns of JSON objects: the keys, where those of an object in an object are joined by a point.

An object becomes columns only if every value of its key is an object or null; else it stays JSON text, as lists do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from modelcycle.json_pointer import json_pointer
from modelcycle.reading.column_names import MAX_COLUMNS
from modelcycle.sql_literal import literal

MAX_DEPTH = 5  # of objects in objects; deeper ones stay JSON text
MAX_OBJECT_KEYS = 200  # of one key's objects; with more, they are a map, such as from user to count, and stay text


class Key(NamedTuple):
    """A column: its name, and the JSON pointer to its values."""

    name: str
    pointer: str


def columns_of(engine: Any, whole: Sequence[str] = ()) -> tuple[list[Key], list[str]]:
    """Return the columns of the view `lines` (line, object), in the order of their first occurrence; and the maps.

    Parameters
    ----------
    whole : names of objects that stay JSON text

    Returns
    -------
    the columns; and the names of objects with more than MAX_OBJECT_KEYS keys
    """
    maps: list[str] = []
    return _columns(engine, (), set(whole), maps, 10 * MAX_COLUMNS), maps


def _columns(engine: Any, path: tuple[str, ...], whole: set[str], maps: list[str], most: int) -> list[Key]:
    columns: list[Key] = []
    for key, are_objects in _keys(engine, path, most):
        name = ".".join((*path, key))
        inner: list[Key] = []
        if are_objects and len(path) < MAX_DEPTH and name not in whole:
            inner = _columns(engine, (*path, key), whole, maps, MAX_OBJECT_KEYS + 1)
            if len(inner) > MAX_OBJECT_KEYS:
                inner = []
                maps.append(name)
        columns += inner or [Key(name, json_pointer(*path, key))]
    return columns


def _keys(engine: Any, path: tuple[str, ...], most: int) -> list[tuple[str, bool]]:
    """Return the keys of the objects at a path, in the order of their first occurrence; whether all are objects."""
    at = f"json_extract(object, {literal(json_pointer(*path))})" if path else "object"
    keys: list[tuple[str, bool]] = engine.execute(
        f"""SELECT key, bool_and(type = 'OBJECT') FILTER (type <> 'NULL') IS TRUE
            FROM (SELECT line, number, key,
                    json_type(object, '/' || replace(replace(key, '~', '~0'), '/', '~1')) AS type
                  FROM (SELECT line, object, unnest(keys) AS key, generate_subscripts(keys, 1) AS number
                        FROM (SELECT line, object, json_keys(object) AS keys
                              FROM (SELECT line, {at} AS object FROM lines WHERE object IS NOT NULL)
                              WHERE json_type(object) = 'OBJECT')))
            GROUP BY key ORDER BY min(line * 1000000 + number) LIMIT {most}"""
    ).fetchall()
    return keys
