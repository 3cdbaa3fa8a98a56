"""A person's approval of a version that waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from modelcycle.faults import NotAllowed, Raced, Tampered, Unknown
from modelcycle.govern.ports import Ports
from modelcycle.messages import Artifact, Decision
from modelcycle.policy import (
    UNKNOWN,
    Action,
    Policy,
    approvals_needed,
    asker_of,
    authors_of,
    check_traffic,
    evidence_of,
    frozen,
    is_same_person,
    person_of,
)
from modelcycle.registry import Approval, Standing, Version

NO_AUTHOR = "no person is on record who started its run"
SINGLE_USER = "you approved your own run: nobody else has access here"


def give_approval(decision: Decision, version: Version, standing: Standing, ports: Ports) -> tuple[bool, str]:
    """Record a person's approval of a waiting version; return whether it is approved now, and what to tell them.

    Raises
    ------
    NotAllowed : the policy forbids it, the request has expired, or the version's bytes are not those registered
    """
    policy = ports.policies.policy_of(decision.model)
    asker, where = asker_of(version, standing), f"{decision.model}:{version.version}"
    authors = authors_of(version, asker)
    _check_not_expired(policy, version, standing, ports)
    check_bytes(version, ports)
    check_traffic_but_approvals(policy, version, ports)
    own_run = is_own_run(policy, authors, decision.by)
    if own_run and policy.approvals.four_eyes:
        raise NotAllowed(
            f"you started a run that made version {version.version}: {policy.title} asks for four eyes", where,
            "another person has to approve it",
        )  # fmt: skip
    earlier = ports.registry.approvals.since_asked(decision.model, version.version)
    evidence = evidence_of(version)
    given = [] if earlier is None else [one for one in earlier.valid(evidence) if one.by != decision.by]
    check_permission(policy, "approve", decision, version, ports, authors=authors, approvals=len(given))
    needed = approvals_needed(policy, *authors, asked=True)
    approval = Approval(by=decision.by, why=decision.why, evidence=evidence, policy=policy.sha)
    counted = ports.registry.approvals.give(
        decision.model,
        version.version,
        approval,
        needed,
        partial(is_same_person, trusted_sessions=policy.approvals.trusts_sessions),
        asker,
    )
    if counted.complete:
        return True, SINGLE_USER if own_run else NO_AUTHOR if UNKNOWN in authors else ""
    return False, _missing(counted.approvals, needed, counted.repeated, policy, authors)


def check_permission(
    policy: Policy, action: Action, decision: Decision, version: Version, ports: Ports, *,
    authors: Sequence[str] = (), approvals: int = 0,
) -> None:  # fmt: skip
    """Raise NotAllowed if the permissions of the policy forbid a person to do something with a version.

    Parameters
    ----------
    authors : who started the runs that made it and that asked; by default those on record
    approvals : of others, so far
    """
    from modelcycle.policy.permissions import Circumstances, refusal  # loads Cedar

    if not authors:
        approved = ports.registry.approvals.get(version.model, version.version)
        authors = authors_of(version, approved.asker if approved else None)
    circumstances = Circumstances(
        own_run=is_own_run(policy, authors, decision.by), author_known=UNKNOWN not in authors, approvals=approvals,
        frozen=frozen(policy, decision.by) is not None,
    )  # fmt: skip
    why = refusal(policy, action, person_of(decision.by, ports.local), decision.model, circumstances)
    if why:
        raise NotAllowed(
            why, f"{decision.model}:{version.version}", f"`modelcycle policy {decision.model}` shows who may {action}"
        )


def is_own_run(policy: Policy, authors: Sequence[str], by: str) -> bool:
    """Return whether a person may be one of those who started a version's runs; False if nobody knows."""
    return any(author != UNKNOWN and is_same_person(author, by, policy.approvals.trusts_sessions) for author in authors)


def check_bytes(version: Version, ports: Ports) -> None:
    """Read everything that is approved, and compare it with the hashes of the version's record.

    Raises
    ------
    NotAllowed : an object is gone, or its bytes are not those registered
    """
    try:
        for artifact in _approved_artifacts(version):
            with TemporaryDirectory() as folder:  # one after the other: the disk has room for one model
                ports.artifacts.fetch(artifact, Path(folder))
    except (Tampered, Unknown) as fault:
        raise NotAllowed(
            f"what is registered as version {version.version} is not what is there: {fault.what}",
            fault.where or f"{version.model}:{version.version}",
            "run again and let the new version be approved; `modelcycle verify` finds what was changed",
        ) from None


def check_traffic_but_approvals(policy: Policy, version: Version, ports: Ports) -> None:
    """Raise NotAllowed if a rule of the policy of now does not hold for the version's stored figures."""
    free = policy.model_copy(update={"approvals": policy.approvals.model_copy(update={"needed": 0})})
    check_traffic(free, version, ports.artifacts, None)


def expires_at(policy: Policy, standing: Standing) -> datetime:
    """Return when a version that waits for approval is refused."""
    return standing.at + timedelta(days=policy.approvals.expires_days)


def _check_not_expired(policy: Policy, version: Version, standing: Standing, ports: Ports) -> None:
    if standing.state != "awaiting_approval" or datetime.now(UTC) < expires_at(policy, standing):
        return
    why = f"nobody approved it within {policy.approvals.expires_days} days ({policy.title})"
    with suppress(NotAllowed, Raced):  # others were faster
        ports.registry.approvals.expire(version.model, version.version, standing, policy.title, why)
    raise NotAllowed(
        f"the request to approve version {version.version} has expired: {why}", f"{version.model}:{version.version}",
        "run again: the version is then asked about again",
    )  # fmt: skip


def _approved_artifacts(version: Version) -> tuple[Artifact, ...]:
    return (*version.essentials, version.card, *([version.figures] if version.figures else []))


def _missing(count: int, needed: int, repeated: bool, policy: Policy, authors: Sequence[str]) -> str:
    given = "you approved it before: " if repeated else ""
    unknown = policy.approvals.four_eyes and UNKNOWN in authors
    why = "; nobody knows who started its run, so two people have to approve it" if unknown else ""
    return f"{given}{count} of {needed} approvals are given, another person has to approve it ({policy.title}){why}"
