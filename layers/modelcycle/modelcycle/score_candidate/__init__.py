"""Score the test rows by the code that will serve, once scikit-learn and ONNX are shown to agree."""

from modelcycle.score_candidate.score import score_candidate

__all__ = ["score_candidate"]
