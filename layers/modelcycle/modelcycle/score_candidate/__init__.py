"""Before step 5: check that scikit-learn and ONNX agree, then score the test rows with the serving code."""

from __future__ import annotations

from modelcycle.score_candidate.score_candidate import score_candidate

__all__ = ["score_candidate"]
