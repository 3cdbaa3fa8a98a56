"""Judge the candidate by the scores that the serving code gave: metrics, baseline, champion, gates, groups."""

from modelcycle.validate.judge import validate

__all__ = ["validate"]
