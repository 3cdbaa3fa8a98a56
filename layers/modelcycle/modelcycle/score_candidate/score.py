"""The step: parity on validation rows and probes, then the test rows by the candidate and by the champion."""

from __future__ import annotations

import io

import numpy as np

from modelcycle.messages import ScoreCandidateRequest, ScoredCandidate
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.scoring import Scored, Scorer, Scores
from modelcycle.model.signature import Signature
from modelcycle.registry import Registry, Version
from modelcycle.score_candidate.groups import groups
from modelcycle.score_candidate.parity import Parity, hold_together
from modelcycle.steps import pipeline_of, taken_over
from modelcycle.store import Store, put_json, read_json


def score_candidate(
    request: ScoreCandidateRequest, *, artifacts: Store, registry: Registry, code: str
) -> ScoredCandidate:
    """Hold ONNX against scikit-learn, then score the test features, which no earlier step has read.

    Raises
    ------
    ParityBroken : the two give different scores
    """
    pipeline = pipeline_of(artifacts, request.run)
    champion = _pinned(request, artifacts, registry)
    version = None if champion is None else registry.versions.get(request.run.model, champion)
    # a champion whose files are gone must not stop the run that takes its place
    lost = version is not None and bool(artifacts.missing(version.essentials))

    def work() -> ScoredCandidate:
        signature = Signature.model_validate_json(artifacts.read(request.engineer_features.signature))
        table = TableSchema.model_validate_json(artifacts.read(request.preprocess.table))
        scorer = Scorer(signature, artifacts.read(request.select_model.onnx))
        parity = _parity(request, scorer, artifacts)
        test = Columns.from_bytes(artifacts.read(request.preprocess.test_features))
        sensitive = [column for column in table.columns if column.name in pipeline.sensitive_columns]
        own = Scores(scorer.scores(test), groups(test, sensitive))
        theirs = None if version is None or lost else _champion(version, signature, test, artifacts)
        key = request.run.key
        return ScoredCandidate(
            scores=artifacts.put(key("score_candidate", "scores.npz"), own.to_bytes()),
            champion_scores=None
            if theirs is None
            else artifacts.put(key("score_candidate", "champion.npz"), Scores(theirs).to_bytes()),
            champion=champion,
            champion_lost=lost,
            rows=parity.rows,
            max_difference=parity.max_difference,
            flips=parity.flips,
        )

    parameters = [champion, pipeline.sensitive_columns, *(["lost"] if lost else [])]
    return taken_over(registry.runs, artifacts, code, "score_candidate", request, parameters, ScoredCandidate, work)


def _pinned(request: ScoreCandidateRequest, artifacts: Store, registry: Registry) -> int | None:
    """The champion as this run first met it: an event that comes twice, even after a promotion, is judged alike."""
    champion = registry.routes.get(request.run.model).champion
    kept = put_json(artifacts, request.run.key("score_candidate", "champion.json"), {"champion": champion})
    version: int | None = read_json(artifacts, kept)["champion"]
    return version


def _parity(request: ScoreCandidateRequest, scorer: Scorer, artifacts: Store) -> Parity:
    with np.load(io.BytesIO(artifacts.read(request.select_model.reference)), allow_pickle=False) as stored:
        expected = {name: stored[name].reshape(len(stored[name]), -1) for name in ("validation", "probes")}
    parts = {"validation": request.preprocess.validation, "probes": request.select_model.probes}
    columns = {name: Columns.from_bytes(artifacts.read(artifact)) for name, artifact in parts.items()}
    target = columns["validation"].target
    spread = float(np.nanstd(target)) if target is not None and len(target) else 1.0
    compared = [(name, expected[name], scorer.scores(part)) for name, part in columns.items()]
    return hold_together(compared, scorer.signature.task, spread, request.select_model.best.algorithm)


def _champion(champion: Version, candidate: Signature, test: Columns, artifacts: Store) -> Scored | None:
    """The champion's scores in the order of the candidate's classes; None where it cannot answer the same question."""
    signature = Signature.model_validate_json(artifacts.read(champion.signature))
    same = (signature.task, signature.target) == (candidate.task, candidate.target)
    if not same or sorted(signature.classes) != sorted(candidate.classes) or not signature.fits(test):
        return None
    scores = Scorer(signature, artifacts.read(champion.onnx)).scores(test)
    return scores[:, [signature.classes.index(name) for name in candidate.classes]] if candidate.classes else scores
