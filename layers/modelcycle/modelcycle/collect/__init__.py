"""Step 1, data collection: pulls what does not arrive by itself, then writes all rows as one snapshot of text columns.

Broken lines are quarantined.
"""

from modelcycle.collect.collect import collect
from modelcycle.collect.pinned_contract import Pinned
from modelcycle.collect.pull import pull
from modelcycle.collect.pull_event import PullEvent
from modelcycle.collect.pull_traffic import pull_traffic

__all__ = ["Pinned", "PullEvent", "collect", "pull", "pull_traffic"]
