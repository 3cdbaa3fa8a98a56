"""`models`, `show`, `runs`: what is on record, read from the registry."""

from __future__ import annotations

from typing import Any

from cli import console
from cli import place as places
from cli.decide import model_and_version
from cli.execution import Execution
from cli.follow import Ending
from cli.place import Name, Place
from cli.run import show_to_the_end
from cli.screens import models as models_screen
from cli.screens import runs as runs_screen
from cli.screens import versions as versions_screen
from modelcycle.faults import Tampered, Unknown
from modelcycle.messages import Artifact
from modelcycle.registry import Route, RunRecord
from modelcycle.store import S3Store, read_json


def models(name: Name, stage: str, as_json: bool) -> int:
    place = places.find(name, stage)
    found = [_model(place, model) for model in place.registry.runs.models()]
    if as_json:
        console.print_json({"models": [one.wire() for one in found]})
    else:
        console.show(models_screen.models(found))
    return console.DONE


def _model(place: Place, model: str) -> models_screen.Model:
    registry = place.registry
    route = registry.routes.get(model)
    latest = registry.runs.latest(model, 1)
    moves = registry.routes.moves(model, 1)
    live = registry.versions.get(model, route.champion) if route.champion is not None else None
    return models_screen.Model(
        model, route, moves[0].at if moves else None, latest[0] if latest else None,
        live.metric if live else "", live.metrics.get(live.metric) if live else None,
        registry.monitoring.latest(model),
    )  # fmt: skip


def show(named: str, run_id: str | None, name: Name, stage: str, as_json: bool) -> int:
    model, version = model_and_version(named)
    place = places.find(name, stage)
    if run_id is not None:
        return _run(place, _record(place, model, run_id), as_json)
    if model not in place.registry.runs.models():
        raise Unknown(f"there is no model {model}", place.title, "`modelcycle models` lists the models")
    return _version(place, model, version, as_json) if version is not None else _versions(place, model, as_json)


def _versions(place: Place, model: str, as_json: bool) -> int:
    registry = place.registry
    route = registry.routes.get(model)
    standings = registry.standings.all(model)
    found = [(one, standings[one.version]) for one in registry.versions.all(model)]
    moves = registry.routes.moves(model, None)
    decisions = registry.audit.decisions(model)
    if as_json:
        console.print_json({
            "model": model, "champion": route.champion, "route": route.weights,
            "versions": [
                {
                    "version": one.version, "state": standing.state, "at": standing.at, "by": standing.by,
                    "why": standing.why, "metric": one.metric, "metrics": one.metrics, "interval": one.interval,
                    "data": one.data, "code": one.code, "run_id": one.run_id, "created_at": one.created_at,
                }
                for one, standing in found
            ],
            "moves": [move.model_dump(mode="json") for move in moves],
            "decisions": [entry.model_dump(mode="json") for entry in decisions],
        })  # fmt: skip
    else:
        console.show(versions_screen.versions(model, route, found, moves, decisions))
    return console.DONE


def _version(place: Place, model: str, version: int, as_json: bool) -> int:
    registry = place.registry
    found, standing = registry.versions.get(model, version), registry.standings.get(model, version)
    decisions = [entry for entry in registry.audit.decisions(model) if entry.subject == f"version {version}"]
    artifacts = S3Store(place.s3, place.output("ArtifactBucket"))
    plan, lineage = _evidence(artifacts, found.plan), _evidence(artifacts, found.lineage)
    if as_json:
        console.print_json(
            found.model_dump(mode="json")
            | {"standing": standing.model_dump(mode="json"), "plan": plan, "lineage": lineage}
            | {"decisions": [entry.model_dump(mode="json") for entry in decisions]}
        )
    else:
        console.show(versions_screen.version(found, standing, registry.routes.get(model), plan, decisions))
    return console.DONE


def _evidence(artifacts: S3Store, artifact: Artifact) -> dict[str, Any] | None:
    """A document about a version; None where it is gone, which must not hide what the registry knows."""
    try:
        told: dict[str, Any] = read_json(artifacts, artifact)
    except (Unknown, Tampered):
        return None
    return told


def runs(model: str, follow: str | None, name: Name, stage: str, as_json: bool) -> int:
    place = places.find(name, stage)
    if follow is not None:
        return show_to_the_end(place, model, _record(place, model, follow).run.execution, as_json)
    found = place.registry.runs.latest(model)
    if not found:
        raise Unknown(f"there is no model {model}", place.title, "`modelcycle models` lists the models")
    if as_json:
        console.print_json({"model": model, "runs": [one.model_dump(mode="json") for one in found]})
    else:
        console.show(runs_screen.runs(found))
    return console.DONE


def _record(place: Place, model: str, run_id: str) -> RunRecord:
    record = place.registry.runs.get(model, run_id)
    if record is None and model not in place.registry.runs.models():
        raise Unknown(f"there is no model {model}", place.title, "`modelcycle models` lists the models")
    if record is None:
        raise Unknown(f"{model} has no run {run_id}", place.title, f"`modelcycle runs {model}` lists them")
    return record


def _run(place: Place, record: RunRecord, as_json: bool) -> int:
    """A run that is on record, as its screen was; without the steps where the execution is no longer kept."""
    execution = Execution(place, record.run.execution)
    try:
        execution.refresh()
    except place.states.exceptions.ExecutionDoesNotExist:
        execution.steps.clear()
    end = on_record(record, execution, place.registry.routes.get(record.run.model))
    moves = place.registry.routes.moves(record.run.model, None)
    end.went_live = any(record.version in move.after for move in moves)
    if as_json:
        console.print_json(end.wire())
    else:
        console.show(runs_screen.run(record, end))
    return console.DONE


def on_record(record: RunRecord, execution: Execution, route: Route) -> Ending:
    results: dict[str, Any] = {}
    for step in execution.steps.values():
        results |= step.results
    seconds = (record.ended_at - record.run.started_at).total_seconds() if record.ended_at else None
    return Ending(
        record.run.model, record.run.run_id, str(record.state), record.reason, record.version, route,
        list(execution.steps.values()), seconds, record.run.started_at, execution.unseen, results,
    )  # fmt: skip
