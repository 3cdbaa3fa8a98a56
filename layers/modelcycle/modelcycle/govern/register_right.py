"""Whether the author of a run may have its model registered, and is who the run names as its author."""

from __future__ import annotations

from modelcycle.messages import Rule, Run
from modelcycle.policy import UNKNOWN, Policy, person_of


def register_right(policy: Policy, run: Run) -> list[Rule]:
    """Return a broken rule if the policy's permissions forbid the registration; nothing if they allow it."""
    from modelcycle.policy.permissions import Circumstances, refusal

    author = person_of(run.author or UNKNOWN)
    why = refusal(policy, "register", author, run.model, Circumstances(own_run=True, author_known=bool(run.author)))
    if not why:
        return []
    remedy = "a person whom the policy permits has to start the run with `modelcycle run`"
    return [Rule(name="its author may register the model", holds=False, detail=why, remedy=remedy)]


def author_contradicted(policy: Policy, run: Run) -> list[Rule]:
    """Return a broken rule if the run names somebody else as its author than has started it, and it matters who did."""
    matters = policy.approvals.four_eyes or {"author", "author_proved"} & {*policy.required_evidence}
    if run.author_stated is None or not matters:
        return []
    detail = f"{run.author_stated} is named as who started it, and the data bucket has proved that {run.author} did"
    remedy = "find out why; then start it again with `modelcycle run`, which names who runs it"
    return [Rule(name="its author is who has started it", holds=False, detail=detail, remedy=remedy)]
