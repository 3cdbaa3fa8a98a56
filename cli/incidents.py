"""`incidents`: what monitoring has found wrong with the models, and what their governors decided."""

from __future__ import annotations

from cli import console
from cli.options import Options
from cli.screens.incidents import incidents_text, model_incidents_text

MAX_DECISIONS = 500  # the newest of a model, alike ones counted together


def incidents(model: str | None, options: Options) -> int:
    """List the open incidents of all models, or all incidents of one with the governor's decisions.

    Raises
    ------
    Unknown : there is no such model
    """
    place = options.open_place()
    registry = place.registry
    if model is None:
        found = [incident for name in registry.runs.models() for incident in registry.incidents.open(name)]
        if options.as_json:
            console.print_json({"incidents": [incident.model_dump(mode="json") for incident in found]})
        else:
            console.show(incidents_text(found))
        return console.DONE
    place.check_model(model)
    found = registry.incidents.latest(model)
    decisions = registry.retrainings.latest(model, MAX_DECISIONS)
    if options.as_json:
        console.print_json({
            "model": model, "incidents": [incident.model_dump(mode="json") for incident in found],
            "retraining": [decision.model_dump(mode="json") for decision in decisions],
        })  # fmt: skip
    else:
        console.show(model_incidents_text(model, found, decisions))
    return console.DONE
