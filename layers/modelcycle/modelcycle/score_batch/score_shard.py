"""The scores of one shard, by the version that the plan names."""

from __future__ import annotations

from modelcycle.faults import BadMessage
from modelcycle.key_service import KeyService
from modelcycle.messages import ScoredShard, ScoreShardRequest, fingerprint
from modelcycle.model.columns import Columns
from modelcycle.model.loaded_version import LoadedVersion, load_version
from modelcycle.model.npz import to_npz_uncompressed
from modelcycle.registry import Registry, Version
from modelcycle.steps import reuse_or_work
from modelcycle.store import Store

STEP = "score_shard"


def score_shard(
    request: ScoreShardRequest, *, artifacts: Store, registry: Registry, keys: KeyService, code: str
) -> ScoredShard:
    """Score the rows of a shard by the code that answers requests.

    Parameters
    ----------
    artifacts : the bucket with the version and the shard, and for the scores
    keys : check the version's signature
    code : version of the code; a result of other code is not reused

    Raises
    ------
    BadMessage : the shard does not have the rows that the plan names
    """

    def work() -> ScoredShard:
        shard = request.shard
        loaded = _loaded(registry.versions.get(request.model, request.version), artifacts, keys)
        columns = Columns.from_bytes(artifacts.read(shard.columns))
        if columns.rows != shard.rows:
            raise BadMessage("the shard does not have the rows of the plan", STEP, "upload the file again")
        scores = loaded.scorer.scores(columns)
        cutoffs = loaded.signature.cutoffs(columns.values, columns.rows)
        of_rows = {} if isinstance(cutoffs, float) else {"cutoffs": cutoffs}
        key = f"_scoring/model={request.model}/{request.job}/scores-{shard.number:05d}.npz"
        return ScoredShard(
            model=request.model, job=request.job, number=shard.number, rows=len(scores),
            scores=artifacts.put(key, to_npz_uncompressed(scores=scores, **of_rows)),
        )  # fmt: skip

    return reuse_or_work(
        work, ScoredShard, model=request.model, step=STEP, mark=fingerprint(STEP, code, request),
        results=registry.results, artifacts=artifacts,
    )  # fmt: skip


_last: dict[tuple[str, str, str], LoadedVersion] = {}
"""The version that this environment has scored with, by the hashes of its files: the next shard is of the same job."""


def _loaded(version: Version, artifacts: Store, keys: KeyService) -> LoadedVersion:
    files = (version.onnx.sha256, version.signature.sha256, version.bundle.sha256 if version.bundle else "")
    if files not in _last:
        _last.clear()
        _last[files] = load_version(version, artifacts, keys)
    return _last[files]
