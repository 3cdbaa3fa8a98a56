"""Step 5, validation: finds the test rows that the champion has not learned from, and reads them as it does."""

from __future__ import annotations

from modelcycle.find_unseen.find_unseen import find_unseen

__all__ = ["find_unseen"]
