"""The line and the sentence of a validation error of a YAML file, such as the pipeline file."""

from __future__ import annotations

import difflib
from typing import Any, get_args, get_origin

import yaml

from modelcycle.spec.section import CROSS_FIELD_ERROR, Section
from modelcycle.spec.sources import SOURCE_TYPES

MAX_NAMED_KEYS = 3
EXPECTED = {
    "int": "a whole number is expected",
    "float": "a number is expected",
    "bool": "true or false is expected",
    "list": "a list is expected, such as [a, b]",
    "model": "keys are expected under it",
    "dict": "keys are expected under it",
}
"""What a key should hold, by the first word of pydantic's error type."""


def describe_error(root: yaml.Node | None, error: Any, file: type[Section]) -> tuple[int, str]:
    """Return the line, counted from 1, and the sentence of one error.

    Parameters
    ----------
    root : the parsed file, which knows the lines
    error : an entry of pydantic's `ValidationError.errors()`
    file : what the file holds
    """
    if error["type"] == CROSS_FIELD_ERROR:
        return _locate(root, error["ctx"]["path"])[0], error["msg"]
    path = _path(error["loc"])
    if error["type"] == "union_tag_invalid":
        path = (*path, "type")
    line, node = _locate(root, path)
    return line, _sentence(error, path, file, node.value if isinstance(node, yaml.ScalarNode) else None)


def line_of(root: yaml.Node | None, path: tuple[int | str, ...]) -> int:
    """Return the line, counted from 1, of the deepest key on a path that a file has."""
    return _locate(root, path)[0]


def _path(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return the keys in the file that lead to an error: pydantic adds the type of a source, which is no key.

    >>> _path(("join", 0, "source", "sql", "table"))
    ('join', 0, 'source', 'table')
    """
    return tuple(
        part for number, part in enumerate(loc) if not (number and loc[number - 1] == "source" and part in SOURCE_TYPES)
    )


def _locate(node: yaml.Node | None, path: tuple[int | str, ...]) -> tuple[int, yaml.Node | None]:
    """Return the line of the deepest node on the path that exists, and the path's own node if it exists."""
    line = (node.start_mark.line + 1) if node is not None else 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            entry = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if entry is None:
                return line, None
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line, None
    return line, node


def _sentence(error: Any, path: tuple[int | str, ...], file: type[Section], written: str | None) -> str:
    """Return the sentence of an error; `written` is the value's text in the file."""
    kind = error["type"]
    key = ".".join(str(part) for part in path) or "the file"
    if kind == "extra_forbidden":
        close = difflib.get_close_matches(str(path[-1]), _known_keys(file, error["loc"][:-1]), n=1)
        return f"unknown key {key}" + (f", did you mean {close[0]}?" if close else "")
    if kind == "union_tag_invalid":
        return f"{key}: one of {', '.join(sorted(SOURCE_TYPES))} is expected"
    if kind == "missing":
        return f"{key} is required"
    if kind == "string_pattern_mismatch" and path == ("name",):
        return "name: 1 to 48 of a-z 0-9 and -, beginning and ending with a letter or digit"
    if error["input"] is None:
        return f"{key} is empty"
    if kind == "string_type":  # YAML reads 1, 2020-01-01, yes and no as types other than text
        return f"{key}: text is expected" + (f'; put it in quotes: "{written}"' if written else "")
    if kind == "literal_error":
        return f"{key}: one of {error['ctx']['expected'].replace(' or ', ', ')} is expected"
    if kind == "too_short":
        return f"{key}: at least {error['ctx']['min_length']} in the list is expected"
    expected, _, problem = kind.partition("_")
    if expected in EXPECTED and problem in ("type", "parsing", "from_float"):
        keys = _known_keys(file, error["loc"])[:MAX_NAMED_KEYS] if expected == "model" else []
        return f"{key}: {EXPECTED[expected]}" + (f", such as {', '.join(keys)}" if keys else "")
    return f"{key}: {str(error['msg']).removeprefix('Value error, ').replace('Input should', 'it should')}"


def _known_keys(file: type[Section], loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the section at pydantic's path may have."""
    section: Any = file
    for part in loc:
        if isinstance(part, int):
            section = next(iter(get_args(section)), None)
        elif get_origin(section) is dict:  # any key, such as the name of a column
            section = get_args(section)[1]
        elif part in SOURCE_TYPES and not hasattr(section, "model_fields"):
            section = SOURCE_TYPES[part]
        else:
            field = _fields(section).get(part)
            section = field.annotation if field else None
    return list(_fields(section))


def _fields(section: Any) -> dict[str, Any]:
    """Return the fields of a section by their key in the file."""
    return {field.alias or name: field for name, field in getattr(section, "model_fields", {}).items()}
