from __future__ import annotations

from datetime import UTC, datetime, timedelta

from modelcycle.faults import BadPolicy, NotAllowed, Raced
from modelcycle.messages import Expired, ExpireRequest
from modelcycle.policy import Shelf
from modelcycle.registry import Registry

MAX_NAMED = 20  # versions in a result


def expire(request: ExpireRequest, *, registry: Registry, policies: Shelf, now: datetime | None = None) -> Expired:
    """Refuse every version that has waited for approval for longer than its policy allows.

    Idempotent. A version that had traffic before is retired, as it was before it was asked about.

    Parameters
    ----------
    now : by default the present
    """
    now = now or datetime.now(UTC)
    ended, unread = [], []
    models = registry.runs.models() if request.models == "all" else request.models
    for model in models:
        try:
            policy = policies.policy_of(model)
        except BadPolicy as fault:  # two policies name this model; the others go on
            unread.append(f"{model}: {fault.what}")
            continue
        limit = timedelta(days=policy.approvals.expires_days)
        for version, standing in registry.standings.all(model).items():
            if standing.state != "awaiting_approval" or now < standing.at + limit:
                continue
            why = f"nobody approved it within {policy.approvals.expires_days} days ({policy.title})"
            try:
                registry.approvals.expire(model, version, standing, policy.title, why)
            except (NotAllowed, Raced):  # somebody has decided about it meanwhile
                continue
            ended.append(f"{model}:{version}")
    return Expired(models=len(models), expired=len(ended), versions=ended[:MAX_NAMED], unread=unread[:MAX_NAMED])
