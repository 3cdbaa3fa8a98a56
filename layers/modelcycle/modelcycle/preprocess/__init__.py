"""Step 2, preprocessing: turns texts into typed, split rows; drops duplicates and quarantines what does not parse."""

from modelcycle.preprocess.preprocess import preprocess

__all__ = ["preprocess"]
