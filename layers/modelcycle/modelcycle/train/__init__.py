"""Step 4, training: a search of independent trials. The recipe that they lead to is fitted again and exported."""

from __future__ import annotations

from modelcycle.train.plan_trials import plan_trials
from modelcycle.train.run_trial import run_trial
from modelcycle.train.select_model import select_model

__all__ = ["plan_trials", "run_trial", "select_model"]
