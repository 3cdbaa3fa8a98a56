"""Who may do what, decided by Cedar (https://docs.cedarpolicy.com): no language of our own, no evaluator of our own."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple, get_args

import cedarpy

from modelcycle.policy.people import Person
from modelcycle.policy.schema import Action, Policy

ACTIONS: tuple[Action, ...] = get_args(Action)

SCHEMA = f"""
entity Group;
entity Person in [Group] {{ arn: String, account: String, kind: String, name: String, alone: Bool }};
entity Model {{ name: String, tier: String }};
action {", ".join(ACTIONS)} appliesTo {{
  principal: Person, resource: Model,
  context: {{ own_run: Bool, author_known: Bool, approvals: Long, frozen: Bool }}
}};
"""
CONSEQUENCE = "unable to find an applicable action"  # of an unknown action, which is an error of its own
ROLLBACK = "a rollback is possible for everybody whom IAM lets decide, so no policy can forbid it"


class Circumstances(NamedTuple):
    """What a decision is about, besides person and model.

    Parameters
    ----------
    own_run : the person started the run that made the version
    author_known : it is known who started it
    approvals : that others have given so far
    frozen : no version gets more traffic now
    """

    own_run: bool = False
    author_known: bool = False
    approvals: int = 0
    frozen: bool = False


def refusal(policy: Policy, action: Action, person: Person, model: str, circumstances: Circumstances) -> str:
    """Return why a person may not do something, as a clause; empty if they may.

    What Cedar cannot evaluate is refused.
    """
    statements = policy.permissions
    groups = [name for name, patterns in policy.groups.items() if _matches(person.arn, patterns)]
    identity = {"type": "Person", "id": person.arn}
    entities: list[dict[str, Any]] = [
        {"uid": identity, "attrs": person.attributes, "parents": [{"type": "Group", "id": name} for name in groups]},
        *({"uid": {"type": "Group", "id": name}, "attrs": {}, "parents": []} for name in groups),
        {"uid": {"type": "Model", "id": model}, "attrs": {"name": model, "tier": policy.risk_tier}, "parents": []},
    ]
    request = {
        "principal": _entity("Person", person.arn), "action": _entity("Action", action),
        "resource": _entity("Model", model), "context": circumstances._asdict(),
    }  # fmt: skip
    answer = cedarpy.is_authorized(request, statements, entities, SCHEMA)
    problems = list(answer.diagnostics.errors)
    if problems:
        return f"the permissions of {policy.title} cannot be evaluated: {' '.join(str(problems[0]).split())}"
    if answer.decision == cedarpy.Decision.Allow:
        return ""
    reasons = [_annotations(statements).get(name, {}).get("reason") for name in sorted(answer.diagnostics.reasons)]
    given = "; ".join(reason for reason in reasons if reason)
    who = "this is forbidden" if answer.diagnostics.reasons else f"nobody has permitted {person.name} to {action} it"
    return f"{given or who} ({policy.title})"


def permission_errors(permissions: str, known_groups: Collection[str]) -> list[tuple[int, str]]:
    """Return every error of permissions with its line, counted from 0, and a sentence.

    Parameters
    ----------
    permissions : statements in Cedar
    known_groups : the groups that they may name
    """
    statements = list(_statements(permissions))
    errors = []
    for line, statement in statements:
        try:
            parsed = json.loads(cedarpy.policies_to_json_str(statement))["staticPolicies"]
        except ValueError as error:
            errors.append((line, f"this is not Cedar: {error}"))
            continue
        named = list(_named(parsed))
        if ("Action", "rollback") in named:
            errors.append((line, ROLLBACK))
            continue
        groups = [name for kind, name in named if kind == "Group" and name not in known_groups]
        errors += [(line, f"there is no group {name!r} under groups") for name in groups]
        found = cedarpy.validate_policies(statement, SCHEMA).errors
        sentences = [str(one.error).replace("for policy `policy0`, ", "") for one in found]
        told = [sentence for sentence in sentences if not sentence.startswith(CONSEQUENCE)] or sentences
        errors += [(line, sentence) for sentence in told]
    if not statements:
        errors.append((0, "nobody may do anything: write at least permit (principal, action, resource);"))
    return errors


def _entity(kind: str, name: str) -> str:
    r"""Return an entity as Cedar writes it.

    >>> _entity("Person", 'a"b')
    'Person::"a\\"b"'
    """
    return f"{kind}::{json.dumps(name, ensure_ascii=False)}"


def _annotations(statements: str) -> dict[str, dict[str, str]]:
    """Return the annotations of each statement, by the id that Cedar gives it."""
    parsed = json.loads(cedarpy.policies_to_json_str(statements))["staticPolicies"]
    return {name: statement.get("annotations", {}) for name, statement in parsed.items()}


def _matches(arn: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatchcase(arn, pattern) for pattern in patterns)


def _named(parsed: Any) -> Iterator[tuple[str, str]]:
    """Yield type and id of every entity that statements name."""
    if isinstance(parsed, dict):
        if isinstance(parsed.get("type"), str) and isinstance(parsed.get("id"), str):
            yield parsed["type"], parsed["id"]
        for value in parsed.values():
            yield from _named(value)
    elif isinstance(parsed, list):
        for value in parsed:
            yield from _named(value)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each statement with the line, counted from 0, in which it begins: Cedar's errors name no line.

    >>> list(_statements('permit (principal, action, resource); // all\\n\\nforbid (x)'))
    [(0, 'permit (principal, action, resource);'), (2, '// all\\n\\nforbid (x)')]
    """
    begin, position, quoted = 0, 0, False
    while position < len(text):
        character = text[position]
        if quoted:
            position += character == "\\"
            quoted = character != '"'
        elif character == '"':
            quoted = True
        elif text.startswith("//", position):
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        elif character == ";":
            yield _line(text, begin), text[begin : position + 1].strip()
            begin = position + 1
        position += 1
    if any(_without_comment(line) for line in text[begin:].splitlines()):
        yield _line(text, begin), text[begin:].strip()


def _line(text: str, begin: int) -> int:
    """Return the line of the first word at or after a position."""
    line = text.count("\n", 0, begin)
    for number, rest in enumerate(text[begin:].splitlines()):
        if _without_comment(rest):
            return line + number
    return line


def _without_comment(line: str) -> str:
    return line.partition("//")[0].strip()
