"""Feature engineering: how each column enters the model, why, and the proof that such a model can be served."""

from __future__ import annotations

from modelcycle.engineer_features.step import engineer_features

__all__ = ["engineer_features"]
