"""How many people have to approve a version, and what exactly they approve."""

from __future__ import annotations

import hashlib
import json

from modelcycle.messages import Artifact
from modelcycle.messages.artifact import named_values
from modelcycle.policy.people import UNKNOWN
from modelcycle.policy.schema import Policy
from modelcycle.registry import Standing, Version

MIN_FOUR_EYES = 2  # people, where nobody knows who the first pair of eyes is


def asker_of(version: Version, standing: Standing) -> str:
    """Return the ARN of who started the run that asks for approval; `unknown` if nobody knows.

    It need not be the run that made the version: equal content keeps its number, and a later run may ask about it.
    """
    own = standing.by == f"run {version.run_id}"
    return (version.author if own else standing.author) or UNKNOWN


def authors_of(version: Version, asker: str | None) -> tuple[str, ...]:
    """Return who started the runs that made a version and that asked to approve it; `unknown` for whom nobody knows.

    Parameters
    ----------
    asker : None if no such run is on record
    """
    return tuple(dict.fromkeys((version.author or UNKNOWN, asker or version.author or UNKNOWN)))


def approvals_needed(policy: Policy, *authors: str, asked: bool = False) -> int:
    """Return how many people have to approve a version; 0: none.

    Parameters
    ----------
    authors : ARNs of who started the runs that made the version and that ask, `unknown` if nobody knows
    asked : the pipeline file, a gate or the stack asks for an approval

    Examples
    --------
    >>> from modelcycle.policy.parsing import parse_policy
    >>> strict = parse_policy("{name: ab, version: 1, models: [a], approvals: {needed: 1, four_eyes: true}}")
    >>> approvals_needed(strict, "arn:aws:iam::123456789012:user/ann"), approvals_needed(strict, "unknown")
    (1, 2)
    """
    rules = policy.approvals
    needed = max(rules.needed, 1) if asked else rules.needed
    if needed and rules.four_eyes and {"", UNKNOWN} & set(authors):
        return max(needed, MIN_FOUR_EYES)
    return needed


def evidence_of(version: Version) -> str:
    """Return one SHA-256 over all that a person approves: the bytes that serve, figures, card, lineage and reports.

    It covers the hash of every artifact of the version's record: a record that names other bytes has other evidence.
    """
    hashes = {name: found.sha256 for name, found in named_values(version) if isinstance(found, Artifact)}
    text = json.dumps({"model": version.model, "version": version.version, "artifacts": hashes}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
