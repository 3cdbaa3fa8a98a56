"""Step 1, data collection: writes all uploaded rows as one snapshot of text columns, and quarantines broken lines."""

from modelcycle.collect.collect import collect
from modelcycle.collect.pull import pull

__all__ = ["collect", "pull"]
