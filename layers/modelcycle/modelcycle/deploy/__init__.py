"""Step 8, deployment: moves traffic to a version step by step; undoes a rollout that did not complete."""

from modelcycle.deploy.deploy import deploy
from modelcycle.deploy.withdraw import withdraw

__all__ = ["deploy", "withdraw"]
