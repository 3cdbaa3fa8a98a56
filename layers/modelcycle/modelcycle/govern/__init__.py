"""Step 12, governance: a policy check, a model card and an audit entry on each decision; and a person's word."""

from modelcycle.govern.decide import decide
from modelcycle.govern.govern import govern
from modelcycle.govern.word import read_decision

__all__ = ["decide", "govern", "read_decision"]
