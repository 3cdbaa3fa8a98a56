"""Step 8, deployment: the route moves to a version step by step; a rollout that fails is withdrawn."""

from modelcycle.deploy.deploy import deploy, withdraw

__all__ = ["deploy", "withdraw"]
