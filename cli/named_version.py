"""The version that a command line names."""

from __future__ import annotations

from cli.decide import model_and_version
from cli.place import Place
from modelcycle.faults import Unknown
from modelcycle.registry import Version


def named_or_live(place: Place, name: str) -> Version:
    """Return the version that MODEL:VERSION names; for MODEL alone, the live one.

    Raises
    ------
    Unknown : there is no such model or version, or the model has no live version
    """
    model, number = model_and_version(name)
    place.check_model(model)
    if number is None:
        number = place.registry.routes.get(model).champion
    if number is None:
        raise Unknown(f"{model} has no live version", name, f"name one: {model}:VERSION; `modelcycle show {model}`")
    return place.registry.versions.get(model, number)
