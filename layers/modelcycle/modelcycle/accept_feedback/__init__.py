"""Takes outcomes over HTTP: what really happened, for predictions that were answered earlier."""

from modelcycle.accept_feedback.accept_feedback import accept_feedback, outcomes_key

__all__ = ["accept_feedback", "outcomes_key"]
