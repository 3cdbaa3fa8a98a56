"""Step 2, preprocessing: texts become typed, split rows; duplicates and what doesn't parse are set apart."""

from modelcycle.preprocess.prepare import preprocess

__all__ = ["preprocess"]
