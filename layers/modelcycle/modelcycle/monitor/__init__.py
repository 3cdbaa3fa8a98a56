"""Step 10, monitoring: live traffic held against the rows that the model has learned from."""

from modelcycle.monitor.watch import monitor

__all__ = ["monitor"]
