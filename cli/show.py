"""`show`: the versions of a model, one version, or one run."""

from __future__ import annotations

from typing import Any

from cli import console
from cli.decide import model_and_version
from cli.execution import Execution
from cli.options import Options
from cli.outcome import outcome_of
from cli.place import Place
from cli.run_costs import run_cost
from cli.runs import run_record
from cli.screens.runs import run_text
from cli.screens.versions import version_text, versions_text
from modelcycle.faults import Tampered, Unknown
from modelcycle.messages import Artifact
from modelcycle.store import S3Store, read_json


def show(name: str, run_id: str | None, options: Options) -> int:
    """Show what is on record.

    Parameters
    ----------
    name : MODEL or MODEL:VERSION
    run_id : show this run of the model instead
    """
    model, version = model_and_version(name)
    place = options.open_place()
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
    if as_json:
        console.print_json({
            "model": model, "champion": route.champion, "route": route.weights,
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
        })  # fmt: skip
    else:
        console.show(versions_text(model, route, versions, moves, decisions))
    return console.DONE


def _show_version(place: Place, model: str, number: int, as_json: bool) -> int:
    registry = place.registry
    version, standing = registry.versions.get(model, number), registry.standings.get(model, number)
    decisions = [entry for entry in registry.audit.decisions(model) if entry.subject == f"version {number}"]
    artifacts = S3Store(place.s3, place.output("ArtifactBucket"))
    plan, lineage = _read_document(artifacts, version.plan), _read_document(artifacts, version.lineage)
    if as_json:
        console.print_json(
            version.model_dump(mode="json")
            | {"standing": standing.model_dump(mode="json"), "plan": plan, "lineage": lineage}
            | {"decisions": [entry.model_dump(mode="json") for entry in decisions]}
        )
    else:
        console.show(version_text(version, standing, registry.routes.get(model), plan, decisions, lineage))
    return console.DONE


def _read_document(artifacts: S3Store, artifact: Artifact) -> dict[str, Any] | None:
    """Return a document about a version; None if it is gone, so that the rest of the record is still shown."""
    try:
        document: dict[str, Any] = read_json(artifacts, artifact)
    except (Unknown, Tampered):
        return None
    return document


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
    outcome.went_live = any(outcome.version in move.after for move in place.registry.routes.moves(model, None))
    outcome.cost = run_cost(place, execution.calls)
    validated = outcome.results.get("validate")
    artifacts = S3Store(place.s3, place.output("ArtifactBucket"))
    report = _read_document(artifacts, Artifact.model_validate(validated["report"])) if validated else None
    if as_json:
        console.print_json(outcome.wire() | {"report": report})
    else:
        console.show(run_text(record, outcome, report))
    return console.DONE
