"""Step 10, monitoring: turns captured answers into Parquet by model and hour, exactly once."""

from modelcycle.compact.compact import compact

__all__ = ["compact"]
