"""Step 7, testing in staging: a registered version is rehearsed and put under load before it gets real requests."""

from modelcycle.stage.stage import Places, stage

__all__ = ["Places", "stage"]
