"""Serving: answer prediction requests by the live versions, over two protocols, and capture every answer."""

from modelcycle.predict.captures import CaptureStream
from modelcycle.predict.live_models import LiveModels
from modelcycle.predict.predict import predict

__all__ = ["CaptureStream", "LiveModels", "predict"]
