"""The shadow version answers each request too, after the answer; only the captures see what it says."""

from __future__ import annotations

import dataclasses

from modelcycle.model.answer import Answer, answer
from modelcycle.predict.predict import Served
from modelcycle.registry import Route


def shadow_answer(answered: Served) -> Answer | None:
    """Return what the shadow version says to the rows of an answer; None without a loaded shadow version.

    If it fails, the answer is that of the live versions, with the shadow as the version that should have answered.
    """
    route, champion = answered.route, answered.route.champion
    shadow = route.shadow
    if shadow is None or champion is None or shadow in route.weights or shadow not in answered.loaded:
        return None
    # the others stay in the route, without a share: a request may have their columns
    alone = Route(weights=dict.fromkeys(route.weights, 0) | {shadow: 100}, previous=route.previous)
    try:
        return answer({"instances": answered.instances}, alone, answered.loaded, answered.key)
    except Exception as error:  # it is on trial: each failure is evidence
        return dataclasses.replace(
            answered, assigned=[shadow] * len(answered.ids), failures={shadow: type(error).__name__}
        )
