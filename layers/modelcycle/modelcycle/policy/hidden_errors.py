"""The errors of a policy file that its other errors would hide: a person mends them all in one go.

Pydantic holds keys against each other only where each of them is valid by itself, and Cedar's part is read after both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from modelcycle.policy.freezes import Moment, window_problem
from modelcycle.policy.schema import Path, Policy, limits_problem, missing_groups, same_names
from modelcycle.spec.error_messages import line_of

_MOMENT = TypeAdapter(Moment)


def errors_beside(text: str | bytes, *, permissions: bool) -> list[tuple[int, str]]:
    """Return the errors of a policy file that are found although others are in it, each with its line.

    Parameters
    ----------
    text : of a file that is not a valid policy
    permissions : also check the part that is written in Cedar, for which Cedar is loaded
    """
    try:
        root, data = yaml.compose(text, Loader=yaml.SafeLoader), yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError):
        return []
    if not isinstance(data, dict):
        return []
    errors = [(line_of(root, path), sentence) for path, sentence in _across_keys(data)]
    statements = data.get("permissions")
    if permissions and isinstance(statements, str):
        errors += errors_of_permissions(root, statements, _groups(data))
    return errors


def errors_of_permissions(root: yaml.Node | None, statements: str, groups: Collection[str]) -> list[tuple[int, str]]:
    """Return the errors of the part that is written in Cedar, each with its line in the file.

    Parameters
    ----------
    root : the tree of the file
    statements : the text of `permissions`
    groups : that the policy has
    """
    from modelcycle.policy.permissions import permission_errors  # needs Cedar, which not every function has

    first = _first_line(root)
    return [(first + line, f"permissions: {sentence}") for line, sentence in permission_errors(statements, groups)]


def _across_keys(data: dict[Any, Any]) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with keys together, and where, as far as each is valid by itself."""
    rules, freezes = _sections(data, "rules"), _sections(data, "freeze")
    for number, rule in rules.items():
        limits = [rule.get(key) for key in ("at_least", "at_most", "equals")]
        if all(limit is None or _is_number(limit) for limit in limits) and (problem := limits_problem(*limits)):
            yield ("rules", number), f"rules.{number}: {problem}"
    for number, freeze in freezes.items():
        moments = _moments(freeze)
        if moments and (problem := window_problem(*moments)):
            yield ("freeze", number), f"freeze.{number}: {problem}"
    names = [rules.get(number, {}).get("name") for number in range(max(rules, default=-1) + 1)]
    # what is no text has no name: as a text, a list of aliases of lists may fill the memory
    yield from same_names([name.strip() if isinstance(name, str) else f"\0{at}" for at, name in enumerate(names)])
    overriding = [freezes.get(number, {}).get("may_override") for number in range(max(freezes, default=-1) + 1)]
    named = [
        [one for one in groups if isinstance(one, str)] if isinstance(groups, list) else [] for groups in overriding
    ]
    yield from missing_groups(named, _groups(data))


def _sections(data: dict[Any, Any], key: str) -> dict[int, dict[Any, Any]]:
    """Return the entries of a list that have keys, by number."""
    entries = data.get(key)
    return {
        number: entry for number, entry in enumerate(entries if isinstance(entries, list) else [])
        if isinstance(entry, dict)
    }  # fmt: skip


def _groups(data: dict[Any, Any]) -> list[str]:
    groups = data.get("groups", Policy.model_fields["groups"].default)
    return [str(name) for name in groups] if isinstance(groups, dict) else []


def _moments(freeze: dict[Any, Any]) -> tuple[str, str] | None:
    """Return both ends of a freeze; None if one is missing or no moment."""
    try:
        return _MOMENT.validate_python(freeze.get("from")), _MOMENT.validate_python(freeze.get("until"))
    except ValidationError:
        return None


def _is_number(limit: object) -> bool:
    return isinstance(limit, int | float)


def _first_line(root: yaml.Node | None) -> int:
    """Return the line of the file, counted from 1, in which the text of `permissions` begins."""
    for key, value in root.value if isinstance(root, yaml.MappingNode) else []:
        if key.value == "permissions":
            line: int = value.start_mark.line + 1
            return line + 1 if value.style in ("|", ">") else line
    return 1
