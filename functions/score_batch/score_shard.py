"""Batch scoring: scores the rows of one shard."""

from modelcycle.aws import adapters
from modelcycle.messages import ScoredShard, ScoreShardRequest
from modelcycle.observability import observed
from modelcycle.score_batch.score_shard import score_shard


@observed("score_shard", ScoreShardRequest.from_event, log=["job", "number", "rows"])
def handler(request: ScoreShardRequest) -> ScoredShard:
    aws = adapters()
    return score_shard(request, artifacts=aws.artifacts, registry=aws.registry, keys=aws.keys, code=aws.code)
