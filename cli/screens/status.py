"""The screens of `up` and `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.health import Health
    from cli.place import Place


def came_up(place: Place) -> str:
    return "\n".join([
        f"The {place.title} is up.",
        f"  API         {place.api_url}",
        "  run         modelcycle run pipelines/adult-income.yaml --data examples/data/adult.csv.gz",
        "  stop        modelcycle down",
    ])  # fmt: skip


def status(health: Health) -> str:
    """One line each; the bad ones first, each with what mends it."""
    bad = [f"!  {what}" + (f"\n   {remedy}" if remedy else "") for what, remedy in health.bad]
    return "\n".join([*bad, *(f"   {name:<14}{fact}" for name, fact in health.facts)])
