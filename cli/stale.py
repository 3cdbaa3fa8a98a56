"""Live versions that other training code than the deployed one has made, and how to train them again."""

from __future__ import annotations

from cli.place import Place


def stale_versions(place: Place, model: str, versions: list[int]) -> list[int]:
    """Return those of a model's versions that the deployed training code has not made.

    A version of which the training code is not on record was made by an earlier release, whose code was another one.
    """
    deployed = place.outputs.get("TrainingCode", "unknown")
    if deployed == "unknown":
        return []
    return [version for version in versions if place.registry.versions.training_code(model, version) != deployed]


def stale_text(model: str, versions: list[int]) -> list[str]:
    """Return the line that names stale versions and offers to train again; none if there are none.

    >>> stale_text("churn", [3])
    ['version 3 of churn was trained by other code than is deployed: `modelcycle run churn.yaml` trains it again']
    >>> stale_text("churn", [])
    []
    """
    if not versions:
        return []
    named = f"version {versions[0]}" if len(versions) == 1 else f"versions {', '.join(map(str, versions))}"
    were = "was" if len(versions) == 1 else "were"
    return [
        f"{named} of {model} {were} trained by other code than is deployed: "
        f"`modelcycle run {model}.yaml` trains it again"
    ]
