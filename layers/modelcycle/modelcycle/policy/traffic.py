"""Whether a version may get more traffic: by the policy of now, its stored figures, and what people have approved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from modelcycle.faults import NotAllowed
from modelcycle.policy.approvals import approvals_needed, authors_of, evidence_of
from modelcycle.policy.check import broken, check
from modelcycle.policy.figures import figures_of_version
from modelcycle.policy.freezes import freeze_at
from modelcycle.policy.people import UNKNOWN, is_same_person
from modelcycle.policy.schema import Policy
from modelcycle.registry import Approval, Approved, Version
from modelcycle.store import Store


def check_traffic(policy: Policy, version: Version, artifacts: Store, approved: Approved | None) -> None:
    """Check that a version may get traffic.

    Parameters
    ----------
    policy : that applies to its model now
    artifacts : the bucket with its figures
    approved : what people have approved of it; None: nothing is on record

    Raises
    ------
    NotAllowed : a rule of the policy does not hold, or approvals are missing or void; names rule, figure, limit and
        remedy
    Unknown, Tampered : its figures are gone or were changed
    """
    where = f"{version.model}:{version.version}"
    figures = figures_of_version(version, artifacts)
    if figures is None and policy.risk_tier != "minimal":
        raise NotAllowed(
            f"version {version.version} is from before figures were kept: {policy.title} cannot be checked", where,
            "run again: a version that differs in data or code has figures",
        )  # fmt: skip
    reasons = broken(check(policy, figures)) if figures is not None else []
    if reasons:
        raise NotAllowed(
            f"version {version.version} no longer meets {policy.title}: {'; '.join(reasons)}", where,
            "it gets no more traffic; run again, or change the policy and deploy it",
        )  # fmt: skip
    _check_approvals(policy, version, approved, where)


def _check_approvals(policy: Policy, version: Version, approved: Approved | None, where: str) -> None:
    given = approved.given if approved else []
    valid = approved.valid(evidence_of(version)) if approved else []
    if given and len(valid) < len(given):
        raise NotAllowed(
            f"the approval of version {version.version} is void: what was approved is not what is registered", where,
            "run again and let the new version be approved; `modelcycle verify` finds what was changed",
        )  # fmt: skip
    authors = authors_of(version, approved.asker if approved else None)
    needed = approvals_needed(policy, *authors, asked=bool(given))
    people = _approvers(policy, valid, authors)
    if len(people) < needed:
        uncounted = len(valid) - len(people)
        why = f" ({uncounted} of its author or of one person twice not counted)" if uncounted else ""
        remedy = "run again: the version then waits for approval; or `modelcycle approve` it if it does already"
        if given:  # a run that makes the same version asks nobody again
            remedy = "run again with other data or code: the new version then waits for approval"
        raise NotAllowed(
            f"version {version.version} has {len(people)} of {needed} approvals that {policy.title} asks for{why}",
            where, remedy,
        )  # fmt: skip


def _approvers(policy: Policy, given: list[Approval], authors: Sequence[str]) -> list[str]:
    """Return the different people who have approved, as the policy of now tells them apart.

    It may be stricter than the one that they approved under.
    """
    found: list[str] = []
    excluded = [author for author in authors if author != UNKNOWN] if policy.approvals.four_eyes else []
    for approval in given:
        others = [*excluded, *found]
        if not any(is_same_person(one, approval.by, policy.approvals.trusts_sessions) for one in others):
            found.append(approval.by)
    return found


def frozen(policy: Policy, actor: str, now: datetime | None = None) -> tuple[str, datetime] | None:
    """Return why no version may get more traffic now, as a clause, and until when; None if it may.

    Parameters
    ----------
    actor : ARN of the person who moves the traffic, or the run that does
    """
    now = now or datetime.now(UTC)
    holding = [freeze for freeze in policy.freeze if not _overrides(policy, freeze.may_override, actor)]
    found = freeze_at(holding, now)
    if found is None:
        return None
    freeze, ends = found
    return f"{freeze.name}: no version gets more traffic until {freeze.in_its_zone(ends)} ({policy.title})", ends


def who_overrides(policy: Policy, now: datetime | None = None) -> str:
    """Return who may move traffic although a freeze holds now, as a clause; empty if none holds."""
    moment = now or datetime.now(UTC)
    holding = [freeze for freeze in policy.freeze if freeze.ends_at(moment) is not None]
    if not holding:
        return ""
    if not all(freeze.may_override for freeze in holding):
        return "nobody may override it"
    if len(holding) == 1:
        return f"people of {' or '.join(holding[0].may_override)} may override it"
    groups = " and in ".join(f"{' or '.join(freeze.may_override)} (for {freeze.name})" for freeze in holding)
    return f"whoever is in {groups} may override it"  # one person, in a group of each


def _overrides(policy: Policy, groups: list[str], actor: str) -> bool:
    return any(fnmatchcase(actor, pattern) for group in groups for pattern in policy.groups.get(group, []))
