"""The first state of a run: checks that the upload is new and that this run may train the model now."""

from modelcycle.claim.claim import claim
from modelcycle.claim.trigger import Arrival, ClaimRequest, arrival_of

__all__ = ["Arrival", "ClaimRequest", "arrival_of", "claim"]
