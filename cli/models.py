"""`models`: all models of a place."""

from __future__ import annotations

from cli import console
from cli.later_decision import later_states
from cli.options import Options
from cli.place import Place
from cli.screens.models import ModelSummary, models_text
from cli.stale import stale_text, stale_versions


def models(options: Options) -> int:
    """List all models."""
    place = options.open_place()
    summaries = [_summary(place, model) for model in place.registry.runs.models()]
    if options.as_json:
        console.print_json({"models": [summary.wire() for summary in summaries]})
    else:
        stale = [line for summary in summaries for line in stale_text(summary.name, summary.stale)]
        console.show("\n".join([models_text(summaries), *(["", *stale] if stale else [])]))
    return console.DONE


def _summary(place: Place, model: str) -> ModelSummary:
    registry = place.registry
    route = registry.routes.get(model)
    moves = registry.routes.moves(model, 1)
    runs = registry.runs.latest(model, 1)
    champion = registry.versions.get(model, route.champion) if route.champion is not None else None
    return ModelSummary(
        name=model,
        route=route,
        live_since=moves[0].at if moves else None,
        last_run=runs[0] if runs else None,
        decided=next(iter(later_states(place, model, runs).values()), ""),
        metric=champion.metric if champion else "",
        quality=champion.metrics.get(champion.metric) if champion else None,
        monitored=registry.monitoring.latest(model),
        stale=stale_versions(place, model, list(route.weights)),
    )
