"""The last state of a run, however it ends: outcome and reason on record, the lease given back."""

from modelcycle.conclude.conclude import conclude
from modelcycle.conclude.reason import sentence
from modelcycle.conclude.silent import ended

__all__ = ["conclude", "ended", "sentence"]
