"""Rehearse a registered version through the code that serves, before any real request meets it."""

from modelcycle.stage.stage import stage

__all__ = ["stage"]
