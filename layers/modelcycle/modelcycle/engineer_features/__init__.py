"""Step 3, feature engineering: how each column enters the model and why, proven to be exportable before training."""

from __future__ import annotations

from modelcycle.engineer_features.engineer_features import engineer_features

__all__ = ["engineer_features"]
