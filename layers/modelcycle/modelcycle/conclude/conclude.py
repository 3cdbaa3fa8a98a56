from __future__ import annotations

from modelcycle.messages import Concluded, ConcludeRequest
from modelcycle.reasons import reason_text
from modelcycle.registry import Leases


def conclude(request: ConcludeRequest, *, leases: Leases) -> Concluded:
    """End a run and release its lease. Idempotent: a run that has ended keeps its outcome.

    Raises
    ------
    Unknown : no such run
    """
    if request.run is None:
        return Concluded(outcome="no run of ours", reason="", folded=0)
    record, folded = leases.conclude(request.run, request.outcome, reason_text(request.reason), request.version)
    outcome = request.outcome if record.state == "running" else record.state
    return Concluded(outcome=outcome, reason=record.reason, folded=folded)
