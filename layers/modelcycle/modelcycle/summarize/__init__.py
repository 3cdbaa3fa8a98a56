"""Step 10, monitoring: counts a window of live traffic beside its reference."""

from modelcycle.summarize.summarize import summarize

__all__ = ["summarize"]
