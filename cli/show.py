"""`show`: the versions of a model, one version, or one run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

from cli import console
from cli.contract_changes import route_contract_changes
from cli.decide import model_and_version
from cli.decided_by import add_decide
from cli.execution import Execution
from cli.feature_catalogue import feature_catalogue
from cli.history import show_at
from cli.later_decision import first_decision
from cli.options import Options
from cli.outcome import Outcome, outcome_of
from cli.place import Place
from cli.retention import retention_of, retention_text
from cli.run_costs import run_cost
from cli.runs import run_record
from cli.screens.erasures import learned_text
from cli.screens.features import features_text
from cli.screens.incidents import decisions_text
from cli.screens.judgements import judgements_text, rollout_text
from cli.screens.runs import run_text
from cli.screens.staged import staged_text
from cli.screens.versions import held_text, version_text, versions_text
from cli.stale import stale_text, stale_versions
from modelcycle.faults import BadInput, Tampered, Unknown
from modelcycle.messages import Artifact
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature
from modelcycle.registry import Entry, Move, RunRecord
from modelcycle.store import S3Store, read_json

MAX_RETRAINING_DECISIONS = 500  # the newest, alike ones counted together


def show(name: str, run_id: str | None, features: bool, options: Options, at: str | None = None) -> int:
    """Show what is on record.

    Parameters
    ----------
    name : MODEL or MODEL:VERSION
    run_id : show this run of the model instead
    features : show the catalogue of a version's features instead; without a version, that of the live one
    at : show which versions were live at this time instead

    Raises
    ------
    Unknown : there is no such version, or its feature plan is gone
    BadInput : `at` is no time, or stands beside a version, a run or `features`
    """
    model, version = model_and_version(name)
    if at is not None:
        if version is not None or run_id is not None or features:
            raise BadInput(
                "--at shows the live versions of a model, and nothing else",
                name,
                f"`modelcycle show {model} --at TIME`",
            )
        return show_at(model, at, options)
    place = options.open_place()
    if features:
        place.check_model(model)
        return _show_features(place, model, version, options.as_json)
    if run_id is not None:
        return _show_run(place, model, run_id, options.as_json)
    place.check_model(model)
    if version is not None:
        return _show_version(place, model, version, options.as_json)
    return _show_versions(place, model, options.as_json)


def _show_versions(place: Place, model: str, as_json: bool) -> int:
    registry = place.registry
    route = registry.routes.get(model)
    standings = registry.standings.all(model)
    versions = [(version, standings[version.version]) for version in registry.versions.all(model)]
    moves = registry.routes.moves(model, None)
    decisions = registry.audit.decisions(model)
    changes = route_contract_changes(place, model, route)
    move = moves[0] if moves else None
    judged = registry.judgements.of_rollout(model, move.rollout) if move and move.rollout else []
    judgement = next((one for one in reversed(judged) if move and one.judged.moves == move.number), None)
    stale = stale_versions(place, model, list(route.weights))
    retraining = registry.retrainings.latest(model, MAX_RETRAINING_DECISIONS)
    retention = retention_of(place, model)
    learned = registry.erasures.learned(model)
    if as_json:
        console.print_json({
            "model": model, "champion": route.champion, "route": route.weights, "stale": stale,
            "versions": [
                {
                    "version": version.version, "state": standing.state, "at": standing.at, "by": standing.by,
                    "why": standing.why, "metric": version.metric, "metrics": version.metrics,
                    "interval": version.interval, "data": version.data, "code": version.code,
                    "run_id": version.run_id, "created_at": version.created_at,
                }
                for version, standing in versions
            ],
            "moves": [move.model_dump(mode="json") for move in moves],
            "decisions": [entry.model_dump(mode="json") for entry in decisions],
            "contract_changes": [
                {"version": version} | change.model_dump(mode="json") for version, change in changes.items()
            ],
            "judgement": judgement.model_dump(mode="json") if judgement else None,
            "incidents": [incident.model_dump(mode="json") for incident in registry.incidents.open(model)],
            "retraining": [decision.model_dump(mode="json") for decision in retraining],
            "retention": retention.model_dump(mode="json", exclude_none=True) if retention else None,
            "erased": {number: one.model_dump(mode="json") for number, one in learned.items()},
        })  # fmt: skip
    else:
        screen = versions_text(model, route, versions, moves, decisions, changes)
        staged = [number for number, standing in standings.items() if standing.state == "staged"]
        console.show(
            "\n".join(
                [
                    screen,
                    *held_text(staged, registry.audit.all(model) if staged else []),
                    *rollout_text(model, route, move, judgement),
                    *decisions_text(retraining),
                    *stale_text(model, stale),
                    *retention_text(retention, registry.audit.all(model) if retention else []),
                    *learned_text(model, learned),
                ]
            )
        )
    return console.DONE


def _show_version(place: Place, model: str, number: int, as_json: bool) -> int:
    registry = place.registry
    version, standing = registry.versions.get(model, number), registry.standings.get(model, number)
    decisions = [entry for entry in registry.audit.decisions(model) if entry.subject == f"version {number}"]
    artifacts = place.artifacts
    judgements = registry.judgements.of_version(model, number)
    learned = registry.erasures.learned(model)
    plan, lineage = _read_document(artifacts, version.plan), _read_document(artifacts, version.lineage)
    staging = _staging_report(artifacts, model, number)
    if as_json:
        console.print_json(
            version.model_dump(mode="json")
            | {"standing": standing.model_dump(mode="json"), "plan": plan, "lineage": lineage}
            | {"decisions": [entry.model_dump(mode="json") for entry in decisions]}
            | {"staging": staging, "judgements": [one.model_dump(mode="json") for one in judgements]}
            | {"erased": learned[number].model_dump(mode="json") if number in learned else None}
        )
    else:
        screen = version_text(
            version, standing, registry.routes.get(model), plan, decisions, lineage, erased=number in learned
        )
        erased = {number: learned[number]} if number in learned else {}
        console.show("\n".join([screen, *judgements_text(judgements), *learned_text(model, erased)]))
        if staging:
            console.show("\n" + staged_text(staging))
    return console.DONE


def _show_features(place: Place, model: str, number: int | None, as_json: bool) -> int:
    number = number if number is not None else place.registry.routes.get(model).champion
    if number is None:
        raise Unknown("no version is live", model, f"name one: modelcycle show {model}:1 --features")
    version = place.registry.versions.get(model, number)
    artifacts = place.artifacts
    plan = FeaturePlan.model_validate_json(artifacts.read(version.plan))
    signature = Signature.model_validate_json(artifacts.read(version.signature))
    features = feature_catalogue(plan, signature, _read_document(artifacts, version.validation))
    name = f"{model}:{number}"
    if as_json:
        entries = [feature.model_dump(mode="json") for feature in features]
        console.print_json({"model": model, "version": number, "tried": plan.tried, "features": entries})
    else:
        console.show(features_text(name, features, plan.tried))
    return console.DONE


def _read_document(artifacts: S3Store, artifact: Artifact) -> dict[str, Any] | None:
    """Return a document about a version; None if it is gone, so that the rest of the record is still shown."""
    try:
        document: dict[str, Any] = read_json(artifacts, artifact)
    except (Unknown, Tampered):
        return None
    return document


def _staging_report(artifacts: S3Store, model: str, number: int) -> dict[str, Any] | None:
    """Return the report of the last run that staged a version; None if there is none: it was staged by older code."""
    keys = [listed.key for listed in artifacts.list(f"{model}/staging/{number:08d}/")]
    reports = [key for key in keys if key.endswith("/report.json")]  # run ids begin with their time
    if not reports:
        return None
    report: dict[str, Any] = json.loads(artifacts.latest(reports[-1])[0])
    return report


def _show_run(place: Place, model: str, run_id: str, as_json: bool) -> int:
    """Show a run as it was; without its steps if Step Functions has deleted the execution."""
    record = run_record(place, model, run_id)
    execution = Execution(place, record.run.execution)
    try:
        execution.refresh()
    except place.states.exceptions.ExecutionDoesNotExist:
        execution.steps.clear()
    route = place.registry.routes.get(model)
    outcome = outcome_of(record, execution, route, record.run.started_at, record.ended_at)
    moves = place.registry.routes.moves(model, None)
    outcome.went_live = any(outcome.version in move.after for move in moves)
    outcome.then = _route_then(record, outcome.version, moves)
    outcome.decision = _decision(place, record, outcome)
    deploy = execution.steps.get("deploy")
    if deploy is not None and outcome.then is not None:
        deploy.results["route"] = {"weights": outcome.then}
    outcome.cost = run_cost(place, execution.calls)
    report = _report(place, record, outcome)
    validate = execution.steps.get("validate")
    if validate is not None:
        add_decide(place, record.run, validate)
    if as_json:
        console.print_json(outcome.wire() | _judged(outcome, report) | {"report": report})
    else:
        console.show(run_text(record, outcome, report))
    return console.DONE


def _route_then(record: RunRecord, version: int | None, moves: Sequence[Move]) -> dict[int, int] | None:
    """Return the traffic to which the run's rollout led; None if it gave its version none.

    Parameters
    ----------
    moves : newest first
    """
    if version is None:
        return None
    rollout = f"{record.run.model}-v{version}-{record.run.run_id}"  # `deploy` names it this way
    made = [move for move in moves if move.rollout == rollout]
    first = [
        move
        for move in moves
        if version in move.after and version not in move.before and move.at > record.run.started_at
    ]
    return made[0].after if made else first[-1].after if first else None


def _decision(place: Place, record: RunRecord, outcome: Outcome) -> Entry | None:
    """Return the first decision about a version that waited for approval at the end of the run; None if it waits."""
    if outcome.status != "awaiting_approval" or outcome.version is None:
        return None
    return first_decision(place.registry.audit.all(outcome.model), record)


def _report(place: Place, record: RunRecord, outcome: Outcome) -> dict[str, Any] | None:
    """Return the validation report of a run; None if it has none, or its object is gone.

    Once Step Functions has deleted the execution, the report is found by the version that the run registered, or by
    the key under which the run wrote it.
    """
    artifacts = place.artifacts
    validated = outcome.results.get("validate")
    if validated:
        return _read_document(artifacts, Artifact.model_validate(validated["report"]))
    if outcome.steps:
        return None
    if outcome.version is not None:
        with contextlib.suppress(Unknown):
            version = place.registry.versions.get(outcome.model, outcome.version)
            if version.run_id == record.run.run_id:
                return _read_document(artifacts, version.validation)
    key = record.run.key("validate", "report.json")
    try:
        body = place.s3.get_object(Bucket=artifacts.bucket, Key=key)["Body"].read()
    except place.s3.exceptions.ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    report: dict[str, Any] = json.loads(body)
    return report


def _judged(outcome: Outcome, report: dict[str, Any] | None) -> dict[str, Any]:
    """Return the keys of `run --json` that a run without steps has from its report."""
    if outcome.steps or report is None:
        return {}
    metrics = (report.get("metrics") or {}).get("candidate") or {}
    return {"metrics": metrics, "metric": report.get("metric"), "compared": report.get("compared", 0)}
