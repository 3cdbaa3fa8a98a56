"""Step 5, validation: checks that scikit-learn and ONNX agree, then scores the test rows with the serving code."""

from __future__ import annotations

from modelcycle.score_candidate.score_candidate import score_candidate

__all__ = ["score_candidate"]
