"""Erasure: takes the rows of a person out of everything that a model keeps, and proves that they are gone."""

from modelcycle.erase.erase_objects import erase_objects
from modelcycle.erase.finish_erasure import finish_erasure
from modelcycle.erase.plan_erasure import plan_erasure

__all__ = ["erase_objects", "finish_erasure", "plan_erasure"]
