"""Step 7, testing in staging: rehearses a registered version through the serving code, before it gets real requests."""

from modelcycle.stage.stage import stage

__all__ = ["stage"]
