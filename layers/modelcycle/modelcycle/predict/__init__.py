"""Step 9, serving: answers prediction requests by the live versions, over two protocols; captures every answer."""

from modelcycle.predict.after_answer import AfterAnswer
from modelcycle.predict.captures import CaptureStream
from modelcycle.predict.live_models import LiveModels
from modelcycle.predict.personal_values import PersonalValues
from modelcycle.predict.predict import predict
from modelcycle.predict.recorder import Recorder

__all__ = ["AfterAnswer", "CaptureStream", "LiveModels", "PersonalValues", "Recorder", "predict"]
