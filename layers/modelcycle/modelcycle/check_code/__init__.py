"""Step 8, deployment: new code of the API's functions is asked before it gets traffic, and again once it has it."""

from modelcycle.check_code.check_decide import check_decide
from modelcycle.check_code.check_predict import check_predict
from modelcycle.check_code.verdict import Places

__all__ = ["Places", "check_decide", "check_predict"]
