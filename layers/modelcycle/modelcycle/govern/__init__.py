"""Step 12, governance: the policy, card, lineage and audit entry of a candidate; and the decisions of people."""

from modelcycle.govern.decide import artifacts_exist, decide
from modelcycle.govern.decision_request import read_decision
from modelcycle.govern.govern import govern
from modelcycle.govern.ports import Ports

__all__ = ["Ports", "artifacts_exist", "decide", "govern", "read_decision"]
