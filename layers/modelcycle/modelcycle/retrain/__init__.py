"""Step 11, retraining: an event on the bus starts the cycle again."""

from modelcycle.retrain.retrain import Asked, retrain

__all__ = ["Asked", "retrain"]
