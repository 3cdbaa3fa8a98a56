"""Notes which permission of a role each allowed call has used, and which calls were denied.

A permission is one action on one pattern of resources, for one pattern of partition keys if the policy names any. The
file grows with the policies, not with the calls. `make permissions` reads it.

What a test tries with the credentials of a role says nothing about its function: sessions called TRIAL are not noted.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

LEADING_KEYS = "dynamodb:leadingkeys"  # condition keys are compared in lower case
ROLE = re.compile(r":(?:assumed-)?role/(?:[^/]+/)*?([^/]+?)(?:/[^/]*)?$")
TRIAL = "tried-by-a-test"  # the session of a test that takes a role's credentials
MAX_DENIED = 500  # different calls that are noted


def permissions_file(home: Path) -> Path:
    """The file of the used permissions; only its owner can read it."""
    return home / "used-permissions.json"


class Permission(NamedTuple):
    """One action on one pattern of resources; `key` is a pattern of partition keys, or empty."""

    action: str
    resource: str
    key: str = ""


class UsedPermissions:
    """Notes what roles use; `write` puts it on disk if it has changed.

    Parameters
    ----------
    path : of the file; what an earlier process noted there is kept
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._used: dict[str, dict[Permission, bool]] = {}
        self._denied: dict[str, set[Permission]] = {}
        self._changed = False
        with contextlib.suppress(OSError, ValueError):
            self._load(json.loads(path.read_text()))

    def install(self, iam_evaluator: Any) -> None:
        """Change how policies are evaluated.

        Parameters
        ----------
        iam_evaluator : MiniStack's module
        """
        evaluate, enforce, resolve = iam_evaluator.evaluate, iam_evaluator.enforce, iam_evaluator.resolve_principal
        # policies of buckets and queues are evaluated by the same function
        of_principal: contextvars.ContextVar[Any] = contextvars.ContextVar("of_principal", default=None)
        named_keys: contextvars.ContextVar[list[str]] = contextvars.ContextVar("named_keys")

        def resolve_noted(*arguments: Any) -> Any:
            principal = resolve(*arguments)
            of_principal.set(getattr(principal, "policies", None))
            return principal

        def evaluate_noted(context: Any, policies: Any, *limits: Any) -> Any:
            result = evaluate(context, policies, *limits)
            if policies is of_principal.get():
                named_keys.set(partition_keys_of(context))
            role = role_of(context.principal_arn)
            if role and policies is of_principal.get() and result.decision == "Allow":
                self._note(iam_evaluator, role, context, policies)
            return result

        def enforce_noted(access_key: str, action: str, *arguments: Any, **named: Any) -> Any:
            named_keys.set([""])
            result = enforce(access_key, action, *arguments, **named)
            role = role_of(getattr(result, "principal_arn", "") or "")
            if role:
                for key in named_keys.get():
                    self._note_denied(role, Permission(action, str(named.get("resource_arn", "*")), key))
            return result

        iam_evaluator.resolve_principal = resolve_noted
        iam_evaluator.evaluate = evaluate_noted
        iam_evaluator.enforce = enforce_noted

    def _note(self, iam: Any, role: str, context: Any, policies: Any) -> None:
        known = self._used.setdefault(role, {})
        statements = [statement for policy in policies for statement in policy if statement.effect == "Allow"]
        for permission in (one for statement in statements for one in permissions_of(statement)):
            if permission not in known:
                known[permission], self._changed = False, True
        keys = partition_keys_of(context)
        for permission, used in list(known.items()):
            if not used and covers(iam, permission, context, keys):
                known[permission], self._changed = True, True

    def _note_denied(self, role: str, call: Permission) -> None:
        denied = self._denied.setdefault(role, set())
        if call not in denied and len(denied) < MAX_DENIED:
            denied.add(call)
            self._changed = True

    def write(self) -> None:
        """Write what is new. A file that cannot be written is given up: no call depends on it."""
        if not self._changed:
            return
        self._changed = False
        with contextlib.suppress(OSError):
            partial = self._path.with_suffix(".half")
            partial.unlink(missing_ok=True)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                json.dump(self._content(), file, indent=1)
            partial.replace(self._path)

    def _content(self) -> dict[str, Any]:
        return {
            "roles": {
                role: [[*permission, used] for permission, used in sorted(known.items())]
                for role, known in sorted(self._used.items())
            },
            "denied": {role: sorted(map(list, calls)) for role, calls in sorted(self._denied.items())},
        }

    def _load(self, content: dict[str, Any]) -> None:
        for role, known in content["roles"].items():
            self._used[role] = {Permission(*names): used for *names, used in known}
        for role, calls in content["denied"].items():
            self._denied[role] = {Permission(*call) for call in calls}


def role_of(arn: str) -> str:
    """Return the role of a principal; empty for a user, and for a test that tries what a role may do.

    >>> role_of("arn:aws:sts::1:assumed-role/mc-ClaimRole-1/claim"), role_of("arn:aws:iam::1:user/ana")
    ('mc-ClaimRole-1', '')
    """
    found = None if arn.endswith(f"/{TRIAL}") else ROLE.search(arn)
    return found[1] if found else ""


def permissions_of(statement: Any) -> Iterator[Permission]:
    """Yield each permission of a statement that allows."""
    keys = [""]
    for operator, compared in statement.conditions.items():
        for name, patterns in compared.items():
            if name.lower() == LEADING_KEYS and "string" in operator.lower():
                keys = [patterns] if isinstance(patterns, str) else list(patterns)
    for action in statement.actions:
        for resource in statement.resources:
            for key in keys:
                yield Permission(action, resource, key)


def partition_keys_of(context: Any) -> list[str]:
    """Return the partition keys that a request names; one empty one if it names none."""
    return [str(key) for key in context.service_context.get(LEADING_KEYS) or [""]]


def covers(iam: Any, permission: Permission, context: Any, keys: list[str]) -> bool:
    """Return whether a permission is one that allows a call.

    Parameters
    ----------
    iam : MiniStack's evaluator
    keys : the partition keys that the call names
    """
    return (
        bool(iam._action_matches(context.action, [permission.action], []))
        and bool(iam._resource_matches(context.resource_arn, [permission.resource], []))
        and (not permission.key or any(fnmatchcase(key, permission.key) for key in keys))
    )
