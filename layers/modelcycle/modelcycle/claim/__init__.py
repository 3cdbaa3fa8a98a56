"""The first state of a run: whose is this upload, and may this run train the model now?"""

from modelcycle.claim.claim import claim
from modelcycle.claim.trigger import Arrival, read

__all__ = ["Arrival", "claim", "read"]
