"""Step 9, serving: answers prediction requests by the live versions, over two protocols; captures every answer."""

from modelcycle.predict.captures import CaptureStream
from modelcycle.predict.live_models import LiveModels
from modelcycle.predict.predict import predict

__all__ = ["CaptureStream", "LiveModels", "predict"]
