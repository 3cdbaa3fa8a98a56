"""Step 12, governance: a policy check, a model card and an audit entry on each decision; and a person's word."""

from modelcycle.govern.decide import decide
from modelcycle.govern.govern import govern

__all__ = ["decide", "govern"]
