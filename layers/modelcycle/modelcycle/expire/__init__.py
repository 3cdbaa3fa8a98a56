"""Ends requests for approval that nobody has answered in time."""

from modelcycle.expire.expire import expire

__all__ = ["expire"]
