"""Step 11, retraining: an event on the bus starts the lifecycle again."""

from modelcycle.retrain.retrain import retrain

__all__ = ["retrain"]
