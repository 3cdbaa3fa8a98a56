"""The parity check on validation rows and parity rows, then scores of the test rows by candidate and champion."""

from __future__ import annotations

import io

import numpy as np

from modelcycle.messages import ScoreCandidateRequest, ScoredCandidate
from modelcycle.model.columns import Columns, TableSchema
from modelcycle.model.scoring import ScoreArray, Scorer, Scores
from modelcycle.model.signature import Signature
from modelcycle.registry import Registry, Version
from modelcycle.score_candidate.parity import Parity, ScorePair, check_parity
from modelcycle.score_candidate.sensitive_groups import sensitive_groups
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store, put_json, read_json

STEP = "score_candidate"


def score_candidate(
    request: ScoreCandidateRequest, *, artifacts: Store, registry: Registry, code: str
) -> ScoredCandidate:
    """Check ONNX against scikit-learn, then score the test features, which no earlier step reads.

    Parameters
    ----------
    code : version of the code; a result of other code is not reused

    Raises
    ------
    ParityBroken : the two give different scores
    """
    pipeline = pipeline_of(artifacts, request.run)
    champion = _first_seen_champion(request, artifacts, registry)
    version = None if champion is None else registry.versions.get(request.run.model, champion)
    # a champion whose artifacts are gone must not stop the run that could replace it
    lost = version is not None and bool(artifacts.missing(version.essentials))

    def work() -> ScoredCandidate:
        signature = Signature.model_validate_json(artifacts.read(request.engineer_features.signature))
        table = TableSchema.model_validate_json(artifacts.read(request.preprocess.table))
        scorer = Scorer(signature, artifacts.read(request.select_model.onnx))
        parity = _check_parity(request, scorer, artifacts)
        test = Columns.from_bytes(artifacts.read(request.preprocess.test_features))
        sensitive = [column for column in table.columns if column.name in pipeline.sensitive_columns]
        candidate_scores = Scores(scorer.scores(test), sensitive_groups(test, sensitive))
        champion_scores = None
        if version is not None and not lost:
            champion_scores = _champion_scores(version, signature, test, artifacts)
        return ScoredCandidate(
            scores=artifacts.put(request.run.key(STEP, "scores.npz"), candidate_scores.to_bytes()),
            champion_scores=None
            if champion_scores is None
            else artifacts.put(request.run.key(STEP, "champion.npz"), Scores(champion_scores).to_bytes()),
            champion=champion,
            champion_lost=lost,
            rows=parity.rows,
            max_difference=parity.max_difference,
            flips=parity.flips,
        )

    parameters = [champion, pipeline.sensitive_columns, *(["lost"] if lost else [])]
    return reuse_or_run(
        work, ScoredCandidate, step=STEP, request=request, parameters=parameters, code=code,
        results=registry.results, artifacts=artifacts,
    )  # fmt: skip


def _first_seen_champion(request: ScoreCandidateRequest, artifacts: Store, registry: Registry) -> int | None:
    """Return the champion as this run first saw it: a redelivered event, even after a promotion, changes nothing."""
    champion = registry.routes.get(request.run.model).champion
    first_seen = put_json(artifacts, request.run.key(STEP, "champion.json"), {"champion": champion})
    version: int | None = read_json(artifacts, first_seen)["champion"]
    return version


def _check_parity(request: ScoreCandidateRequest, scorer: Scorer, artifacts: Store) -> Parity:
    with np.load(io.BytesIO(artifacts.read(request.select_model.reference)), allow_pickle=False) as stored:
        expected = {name: stored[name].reshape(len(stored[name]), -1) for name in ("validation", "probes")}
    validation = Columns.from_bytes(artifacts.read(request.preprocess.validation))
    probes = Columns.from_bytes(artifacts.read(request.select_model.probes))
    deviation = 1.0 if validation.target is None or not validation.rows else float(np.nanstd(validation.target))
    pairs = [
        ScorePair("validation", expected["validation"], scorer.scores(validation)),
        ScorePair("parity", expected["probes"], scorer.scores(probes)),
    ]
    return check_parity(pairs, scorer.signature.task, deviation, request.select_model.best.algorithm)


def _champion_scores(champion: Version, candidate: Signature, test: Columns, artifacts: Store) -> ScoreArray | None:
    """Return the champion's scores (n, k) in the order of the candidate's classes.

    None if it predicts another target or other classes, or reads a column that the test rows do not have.
    """
    signature = Signature.model_validate_json(artifacts.read(champion.signature))
    same_target = (signature.task, signature.target) == (candidate.task, candidate.target)
    same_classes = sorted(signature.classes) == sorted(candidate.classes)
    if not (same_target and same_classes and signature.fits(test)):
        return None
    scores = Scorer(signature, artifacts.read(champion.onnx)).scores(test)
    return scores[:, [signature.classes.index(name) for name in candidate.classes]] if candidate.classes else scores
