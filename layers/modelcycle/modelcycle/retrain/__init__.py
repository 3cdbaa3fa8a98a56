"""Step 11, retraining: whoever asks for a run, the governor decides whether it starts now."""

from modelcycle.retrain.retrain import retrain

__all__ = ["retrain"]
