"""The last state of a run: records the outcome and the reason, and releases the lease."""

from modelcycle.conclude.conclude import conclude
from modelcycle.conclude.uncaught import read_request

__all__ = ["conclude", "read_request"]
