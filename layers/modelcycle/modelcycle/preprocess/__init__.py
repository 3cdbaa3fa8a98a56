"""Step 2, preprocessing: texts become typed columns; duplicates and what doesn't parse are set apart; rows are split."""

from modelcycle.preprocess.prepare import preprocess

__all__ = ["preprocess"]
