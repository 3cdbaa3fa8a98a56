"""What successive versions have lost together, so that quality cannot creep downhill in steps too small to notice."""

from __future__ import annotations

import math

from modelcycle.messages import Chain
from modelcycle.validate.significance import Comparison

MIN_DEVIATIONS = 1.96
"""Standard deviations below the best version from which a loss is beyond chance.

The best version is the best by its measured figure, so by chance alone the fall from it is as large as the absolute
value of a normal variable: 95 % of these are within 1.96, not 1.64 (reflection principle)."""


def extend(champion: Chain | None, version: int, comparison: Comparison) -> Chain:
    """Return the chain of a candidate that was compared with the champion.

    A candidate that is at least as good as the best version before it becomes the best one, and starts again from zero.

    Parameters
    ----------
    champion : the chain of the champion; None if it has none
    version : of the champion

    Examples
    --------
    >>> worse = Comparison(-0.01, (-0.03, 0.01), 0.3, variance=0.0001)
    >>> extend(Chain(advantage=-0.02, variance=0.0002, since=3), 7, worse)
    Chain(advantage=-0.03, variance=0.00030000000000000003, since=3)
    """
    before = champion or Chain()
    advantage = before.advantage + comparison.advantage
    if advantage >= 0:
        return Chain()
    since = before.since if before.since is not None else version
    return Chain(advantage=advantage, variance=before.variance + comparison.variance, since=since)


def has_fallen(chain: Chain, margin: float, loss: float) -> bool:
    """Return whether the chain has lost more than a share of the champion's mean loss, and more than by chance."""
    return chain.advantage < -margin * loss and chain.advantage < -MIN_DEVIATIONS * math.sqrt(chain.variance)
