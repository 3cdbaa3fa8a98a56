"""Training: a random search as independent trials, and the best one refitted, exported and held against scikit-learn."""

from __future__ import annotations

from modelcycle.train.search import plan_trials
from modelcycle.train.select import select_model
from modelcycle.train.trial import run_trial

__all__ = ["plan_trials", "run_trial", "select_model"]
