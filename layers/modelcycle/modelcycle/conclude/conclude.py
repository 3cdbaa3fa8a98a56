from __future__ import annotations

from modelcycle.conclude.reason import sentence
from modelcycle.messages import Concluded, ConcludeRequest
from modelcycle.registry import Runs


def conclude(request: ConcludeRequest, *, runs: Runs) -> Concluded:
    """End a run. One that has ended stays as it ended, whoever tells its end again."""
    record, folded = runs.conclude(request.run, request.outcome, sentence(request.reason), request.version)
    outcome = request.outcome if record.state == "running" else record.state
    return Concluded(outcome=outcome, reason=record.reason, folded=folded)
