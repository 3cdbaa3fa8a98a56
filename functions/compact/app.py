"""Step 10, monitoring: turns the captured answers of past hours into Parquet."""

from modelcycle.aws import adapters
from modelcycle.compact import compact
from modelcycle.messages import Compacted, CompactRequest
from modelcycle.observability import Metric, observed


@observed(
    "compact",
    CompactRequest.from_event,
    log=["hours", "rows", "objects", "unread", "behind"],
    metrics=[Metric("RowsCompacted", "rows")],
)
def handler(request: CompactRequest) -> Compacted:
    return compact(request, data=adapters().data)
