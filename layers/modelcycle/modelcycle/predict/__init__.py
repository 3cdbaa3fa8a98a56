"""Answer prediction requests: the live versions, what is kept of each answer, and the two protocols."""

from modelcycle.predict.capture import Capture
from modelcycle.predict.live import Live
from modelcycle.predict.predict import predict, serialized

__all__ = ["Capture", "Live", "predict", "serialized"]
