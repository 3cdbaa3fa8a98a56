"""From the text of a pipeline file to a `Pipeline`, or to every error at once, each with its line."""

from __future__ import annotations

from collections.abc import Iterator

import yaml
from pydantic import ValidationError

from modelcycle.faults import BadPipeline
from modelcycle.spec.error_messages import describe_error
from modelcycle.spec.pipeline import Pipeline


def parse(text: str | bytes, where: str = "the pipeline file") -> Pipeline:
    """Parse and check a pipeline file.

    Parameters
    ----------
    text : YAML 1.1; bytes are UTF-8
    where : name of the file, for the error

    Raises
    ------
    BadPipeline : with every error at once, each with its line

    Examples
    --------
    >>> parse("name: churn\\ntarget: left").target
    'left'
    >>> parse("name: churn\\ntaget: left")
    Traceback (most recent call last):
    modelcycle.faults.BadPipeline: target is required (and 1 more)
    the pipeline file, line 1
    `modelcycle schema` lists every key
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
        duplicates = sorted(_duplicate_keys(root))
    except RecursionError:
        raise BadPipeline("the file is nested too deeply", where, "a pipeline file has three levels at most") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        line, problem = _yaml_problem(error)
        raise BadPipeline(
            f"the file is not valid YAML: {problem}", f"{where}, line {line}", "fix the line", [(line, problem)]
        ) from None
    if duplicates:
        line, key = duplicates[0]
        raise BadPipeline(
            f"the key {key} is duplicated", f"{where}, line {line}", "keep one of them",
            [(line, f"{key} is duplicated") for line, key in duplicates],
        )  # fmt: skip
    if not isinstance(data, dict):
        raise BadPipeline(
            "the file has no keys", where, "write at least `name:` and `target:`", [(1, "name and target are required")]
        )
    try:
        return Pipeline.model_validate(data)
    except ValidationError as invalid:
        errors = sorted(describe_error(root, error) for error in invalid.errors())
        line, sentence = errors[0]
        others = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise BadPipeline(
            f"{sentence}{others}", f"{where}, line {line}", "`modelcycle schema` lists every key", errors
        ) from None


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
