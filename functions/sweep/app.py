"""Step 12, governance: deletes what is older than `retention` of a model's pipeline file says, once a day."""

import time

from modelcycle.aws import adapters
from modelcycle.messages import SweepRequest, Swept
from modelcycle.observability import observed
from modelcycle.sweep import sweep

MAX_SECONDS = 600  # of the function's 900: a batch that has begun ends


@observed("sweep", SweepRequest.from_event, log=["models", "deleted", "failed", "left"])
def handler(request: SweepRequest) -> Swept:
    aws, end = adapters(), time.monotonic() + MAX_SECONDS
    return sweep(
        request, buckets={"data": aws.erasing_data, "artifacts": aws.erasing_artifacts}, data=aws.data,
        artifacts=aws.artifacts, registry=aws.registry, has_time=lambda: time.monotonic() < end,
    )  # fmt: skip
