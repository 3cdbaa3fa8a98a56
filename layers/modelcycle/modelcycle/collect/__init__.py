"""Step 1, data collection: what was uploaded becomes one snapshot of texts, and broken lines are set apart."""

from modelcycle.collect.snapshot import collect

__all__ = ["collect"]
