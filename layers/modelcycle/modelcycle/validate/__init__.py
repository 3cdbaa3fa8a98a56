"""Step 5, validation: metrics on the test rows, comparison with baseline and champion, and the gates."""

from __future__ import annotations

from modelcycle.validate.validate import validate

__all__ = ["validate"]
