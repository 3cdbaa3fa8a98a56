"""Step 8, deployment: undoes a rollout whose execution failed, timed out or was aborted."""

from modelcycle.aws import adapters
from modelcycle.deploy import withdraw
from modelcycle.messages import RolloutEnded, Withdrawn
from modelcycle.observability import observed


@observed("withdraw", RolloutEnded.from_event, log=["version", "rollout", "put_back"])
def handler(request: RolloutEnded) -> Withdrawn:
    return withdraw(request, registry=adapters().registry)
