"""Step 6: measure the candidate on the test rows, compare it with baseline and champion, and check the gates."""

from __future__ import annotations

from modelcycle.validate.validate import validate

__all__ = ["validate"]
