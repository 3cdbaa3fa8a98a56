"""From the text of a YAML file to a section, or to every error at once, each with its line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

import yaml
from pydantic import ValidationError

from modelcycle.faults import BadPipeline
from modelcycle.spec.error_messages import describe_error
from modelcycle.spec.section import Section

Read = TypeVar("Read", bound=Section)


class Kind(NamedTuple):
    """What a kind of file is called, and what its errors say.

    Parameters
    ----------
    remedy : where its keys are listed
    levels : how deep it may be nested, in words
    smallest : what to write in an empty file
    required : the same as an error
    fault : class of the fault
    """

    remedy: str
    levels: str
    smallest: str
    required: str
    fault: type[BadPipeline] = BadPipeline


def read_document(text: str | bytes, section: type[Read], where: str, kind: Kind) -> tuple[Read, yaml.Node | None]:
    """Parse and check a file; return the section, and the tree of the file, which knows the lines.

    Parameters
    ----------
    text : YAML 1.1; bytes are UTF-8
    where : name of the file, for the error

    Raises
    ------
    BadPipeline : or the fault of that kind of file, with every error at once
    """
    fault = kind.fault
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
        duplicates = sorted(_duplicate_keys(root))
    except RecursionError:
        raise fault("the file is nested too deeply", where, kind.levels) from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        line, problem = _yaml_problem(error)
        raise fault(
            f"the file is not valid YAML: {problem}", f"{where}, line {line}", "fix the line", [(line, problem)]
        ) from None
    if not isinstance(data, dict):
        raise fault("the file has no keys", where, kind.smallest, [(1, kind.required)])
    repeated = [(line, f"{key} is duplicated") for line, key in duplicates]
    try:
        read = section.model_validate(data)
    except ValidationError as invalid:
        errors: list[Any] = invalid.errors()
        raise errors_of(where, [*repeated, *(describe_error(root, error, section) for error in errors)], kind) from None
    if duplicates:
        line, key = duplicates[0]
        raise fault(f"the key {key} is duplicated", f"{where}, line {line}", "keep one of them", repeated)
    return read, root


def errors_of(where: str, errors: list[tuple[int, str]], kind: Kind) -> BadPipeline:
    """Return the fault for some errors, each with its line; the first one in the file is its `what`."""
    errors = sorted(set(errors))
    line, sentence = errors[0]
    others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return kind.fault(f"{sentence}{others}", f"{where}, line {line}", kind.remedy, errors)


def _yaml_problem(error: Exception) -> tuple[int, str]:
    """Return the line, counted from 1, and the reason why a text is not YAML."""
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    problem = getattr(error, "problem", None)
    if not problem:
        undecodable = getattr(error, "encoding", "utf-8") == "utf-8"
        problem = "it is not UTF-8 text" if undecodable else "it contains control characters"
    return line, problem


def _duplicate_keys(node: yaml.Node | None, visited: set[int] | None = None) -> Iterator[tuple[int, str]]:
    """Yield (line, key) of each repeated key of a mapping; YAML itself silently uses the last one."""
    visited = set() if visited is None else visited
    if not isinstance(node, yaml.CollectionNode) or id(node) in visited:
        return
    visited.add(id(node))
    keys: set[str] = set()
    for entry in node.value:
        key, value = entry if isinstance(node, yaml.MappingNode) else (None, entry)
        if isinstance(key, yaml.ScalarNode):
            if key.value in keys:
                yield key.start_mark.line + 1, key.value
            keys.add(key.value)
        yield from _duplicate_keys(value, visited)
