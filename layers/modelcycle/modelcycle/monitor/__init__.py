"""Step 10, monitoring: compares live traffic with the training data."""

from modelcycle.monitor.monitor import monitor

__all__ = ["monitor"]
