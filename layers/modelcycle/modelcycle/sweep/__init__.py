"""Step 12, governance: deletes what a model keeps longer than its pipeline file says."""

from modelcycle.sweep.sweep import sweep

__all__ = ["sweep"]
