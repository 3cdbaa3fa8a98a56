"""Step 4, training and tuning: a random search whose trials run side by side, and the best one made to serve."""

from modelcycle.train.plan_trials import plan_trials
from modelcycle.train.run_trial import run_trial
from modelcycle.train.select_model import select_model

__all__ = ["plan_trials", "run_trial", "select_model"]
