"""What carries out a decision of a person."""

from __future__ import annotations

from typing import NamedTuple

from modelcycle.flows import Flows
from modelcycle.policy import Shelf
from modelcycle.registry import Registry
from modelcycle.store import Store


class Ports(NamedTuple):
    """What carries out a decision.

    Parameters
    ----------
    rollout : ARN of the state machine that moves traffic step by step
    artifacts : the bucket with what versions are made of
    policies : that are deployed
    local : whether this is a local cloud, which has one operator
    """

    registry: Registry
    flows: Flows
    rollout: str
    artifacts: Store
    policies: Shelf
    local: bool = False
