"""Step 4, training: fits the recipe of the judged model once more on all rows, and checks the result."""

from __future__ import annotations

from modelcycle.refit.check_refit import check_refit
from modelcycle.refit.refit import refit

__all__ = ["check_refit", "refit"]
