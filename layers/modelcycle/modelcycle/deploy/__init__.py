"""Step 8, deployment: moves the route to a version step by step; withdraws a rollout that fails."""

from modelcycle.deploy.deploy import deploy
from modelcycle.deploy.withdraw import withdraw

__all__ = ["deploy", "withdraw"]
