"""The policies of a deployment, and which of them applies to a model."""

from __future__ import annotations

import fnmatch
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from modelcycle.faults import BadPolicy
from modelcycle.policy.parsing import parse_policy
from modelcycle.policy.schema import Policy

FOLDER = "governance"
WILDCARDS = "*?["


class Shelf:
    """Policies, by the file that each is in.

    Parameters
    ----------
    policies : at least one, with different names
    """

    def __init__(self, policies: dict[str, Policy]) -> None:
        self.policies = policies

    @classmethod
    def of(cls, folder: Path, *, permissions: bool = False) -> Shelf:
        """Read all files of a folder, see `parse_policy`.

        Raises
        ------
        BadPolicy : a file has errors, two have the same name or name the same models, or there is none
        """
        files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
        named = {path.name: f"{FOLDER}/{path.name}" for path in files}
        shelf = cls({
            path.name: parse_policy(path.read_bytes(), named[path.name], permissions=permissions) for path in files
        })  # fmt: skip
        if not shelf.policies:
            raise BadPolicy("there is no policy", f"{FOLDER}/", f"write {FOLDER}/default.yaml: docs/policy.md")
        shelf.check_apart()
        return shelf

    def policy_of(self, model: str) -> Policy:
        """Return the policy that applies to a model: that which names it, else that with the most exact pattern.

        Raises
        ------
        BadPolicy : none does, or two do with equally exact patterns
        """
        best: list[tuple[tuple[bool, int], str, Policy]] = []
        for file, policy in self.policies.items():
            exactness = [_exactness(pattern) for pattern in policy.models if fnmatch.fnmatchcase(model, pattern)]
            if exactness:
                best.append((max(exactness), file, policy))
        if not best:
            raise BadPolicy(f"no policy applies to {model}", f"{FOLDER}/", "write one with models: ['*']")
        top = max(exactness for exactness, *_ in best)
        found = [(file, policy) for exactness, file, policy in best if exactness == top]
        if len(found) > 1:
            files = " and ".join(file for file, _ in found)
            raise BadPolicy(
                f"two policies apply to {model}: {files}", f"{FOLDER}/", f"name {model} itself in one of them"
            )
        return found[0][1]

    def check_apart(self) -> None:
        """Raise BadPolicy if two files have one name or one pattern, before a model meets it."""
        names: dict[str, str] = {}
        models: dict[str, str] = {}
        for file, policy in self.policies.items():
            other = names.setdefault(policy.name, file)
            if other != file:
                raise _not_apart(file, f"{other} and {file} are both called {policy.name}")
            for pattern in policy.models:
                other = models.setdefault(pattern, file)
                if other != file:
                    raise _not_apart(file, f"{other} and {file} are both for the models {pattern}")


def _not_apart(file: str, what: str) -> BadPolicy:
    return BadPolicy(what, f"{FOLDER}/{file}", "change one of them")


def deployed_folder() -> Path:
    """Return the folder of the policies that are deployed with this code.

    Raises
    ------
    BadPolicy : there is none
    """
    spec = find_spec(FOLDER)
    for place in (spec.submodule_search_locations or []) if spec else []:
        return Path(place)
    raise BadPolicy("no policies are deployed with this function", f"{FOLDER}/", "deploy again")


@cache
def deployed_shelf(permissions: bool = False) -> Shelf:
    """Return the policies that are deployed with this code, read once a process, see `Shelf.of`."""
    return Shelf.of(deployed_folder(), permissions=permissions)


def _exactness(pattern: str) -> tuple[bool, int]:
    """Return how exact a pattern is: a name before all patterns, then by what is not a wildcard.

    >>> _exactness("credit-a") > _exactness("credit-*") > _exactness("*")
    True
    """
    return not any(sign in pattern for sign in WILDCARDS), sum(character not in WILDCARDS for character in pattern)
