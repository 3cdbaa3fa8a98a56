"""The screen of `show MODEL:VERSION --features`."""

from __future__ import annotations

from collections.abc import Sequence

from cli.feature_catalogue import Feature
from cli.screens.lines import clip, count, figure, more, table, words

MAX_SHOWN_FEATURES = 60  # --json prints all
MAX_NAME = 40  # characters
MAX_WHY = 90
CIRCLES = ("day", "week", "year")


def features_text(name: str, features: Sequence[Feature], tried: int) -> str:
    """Return the catalogue of a version's features.

    Parameters
    ----------
    name : MODEL:VERSION
    tried : pairs of columns that were looked at for features of two
    """
    kept = [feature for feature in features if feature.kept]
    left_out = [feature for feature in features if not feature.kept]
    n_inputs = sum(len(feature.inputs) for feature in kept)
    lines = [f"{name}: {count(len(kept), 'feature')} in {count(n_inputs, 'input')} of the graph, "
             f"{count(len(left_out), 'column')} left out", ""]  # fmt: skip
    rows = [
        [
            clip(" ".join(feature.feature.split()), MAX_NAME),
            _enters(feature),
            _worth(feature),
            clip(feature.why, MAX_WHY),
        ]
        for feature in kept[:MAX_SHOWN_FEATURES]
    ]
    lines += [table(["feature", "enters as", "if shuffled", "why"], rows), *more(len(kept) - MAX_SHOWN_FEATURES)]
    if any(feature.importance is not None for feature in kept):
        lines += ["", "    if shuffled: by how much the loss of a test row rises, with all features made of the column"]
    if tried:
        found = sum(1 for feature in kept if feature.gain is not None)
        told = f"{count(tried, 'feature')} of two columns tried, {found:,} kept"
        lines += ["", f"    {told}: those without which boosting loses more on held-out rows"]
    if left_out:
        rows = [
            [clip(" ".join(feature.feature.split()), MAX_NAME), clip(feature.why, MAX_WHY)]
            for feature in left_out[:MAX_SHOWN_FEATURES]
        ]
        lines += ["", table(["left out", "why"], rows), *more(len(left_out) - MAX_SHOWN_FEATURES)]
    return "\n".join(lines)


def _enters(feature: Feature) -> str:
    """Return the treatment, the format in which the texts are read, and the parts of a date."""
    plain = [part for part in feature.parts if "_" not in part]
    circles = [circle for circle in CIRCLES if f"{circle}_sin" in feature.parts]
    parts = [words(feature.treatment)]
    if feature.format:
        parts.append(f"read as {feature.format}")
    if plain:
        parts.append(", ".join(plain))
    if circles:
        parts.append(f"place in the {' and the '.join(circles)}")
    return "; ".join(parts)


def _worth(feature: Feature) -> str:
    if feature.importance is None:
        return ""
    return figure(feature.importance) + (f" ± {figure(feature.error)}" if feature.error is not None else "")
