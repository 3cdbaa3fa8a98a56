"""Step 4, training: draws the trials of the search from a seed."""

from modelcycle.aws import adapters
from modelcycle.messages import PlannedTrials, PlanTrialsRequest
from modelcycle.observability import observed
from modelcycle.train import plan_trials


@observed("plan_trials", PlanTrialsRequest.from_event, log=["metric"])
def handler(request: PlanTrialsRequest) -> PlannedTrials:
    return plan_trials(request, artifacts=adapters().artifacts)
