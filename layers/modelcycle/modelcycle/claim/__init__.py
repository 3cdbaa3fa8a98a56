"""The first state of a run: is the upload new, and may this run train the model now?"""

from modelcycle.claim.claim import claim
from modelcycle.claim.trigger import Arrival, ClaimRequest, arrival_of

__all__ = ["Arrival", "ClaimRequest", "arrival_of", "claim"]
