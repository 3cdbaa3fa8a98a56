"""Whether the author of a run may have its model registered."""

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
