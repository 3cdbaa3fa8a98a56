"""The recipe of the model: which trials, how they are calibrated, and from which probability a class is predicted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.messages import Calibration, Member, Mitigated, Recipe, Trial
from modelcycle.model.calibration import calibrate
from modelcycle.model.recipe import weighted_mean
from modelcycle.model.scoring import predicted_codes
from modelcycle.model.signature import DEFAULT_THRESHOLD, Signature
from modelcycle.spec import Decide
from modelcycle.train.blend import choose_blend
from modelcycle.train.calibrate import choose_calibration
from modelcycle.train.group_thresholds import MIN_GROUP_ROWS
from modelcycle.train.held_out import HeldOut
from modelcycle.train.mitigate import Mitigation, codes_with, told, told_thresholds
from modelcycle.train.threshold import choose_threshold

NO_GROUP = (
    f"fairness.mitigate: thresholds has no effect: no group has {MIN_GROUP_ROWS} held-out rows to choose one by, so all"
    " have the same"
)


@dataclass(frozen=True)
class ChosenRecipe:
    """A recipe, and sentences for people about what was decided."""

    recipe: Recipe
    notes: list[str]
    mitigated: Mitigated | None = None


def choose_recipe(
    held_out: HeldOut, signature: Signature, decide: Decide, mitigation: Mitigation | None = None
) -> ChosenRecipe:
    """Choose a recipe by held-out scores.

    Parameters
    ----------
    held_out : trials, the best one first
    decide : how the pipeline file wants the threshold to be chosen
    mitigation : of the same held-out rows; None if the pipeline file asks for none
    """
    members, notes = [Member(trial=held_out.trials[0].trial)], []
    scores = held_out.scores[0].astype(np.float64)
    chosen = choose_blend(held_out)
    if chosen is not None:
        members = [
            Member(trial=held_out.trials[position].trial, weight=weight)
            for position, weight in zip(chosen.members, chosen.weights, strict=True)
        ]
        scores = weighted_mean([held_out.scores[position] for position in chosen.members], chosen.weights)
        metric = "rmse" if signature.task == "regression" else "log loss"
        notes.append(
            f"the model is the mean of {len(members)} trials ({_named(members)}): {metric} {chosen.loss:.4g} "
            f"on held-out rows that did not choose it, the best trial alone {chosen.best_loss:.4g}"
        )
    if signature.task == "regression":
        return ChosenRecipe(Recipe(members=members), notes)
    calibrated = choose_calibration(scores, held_out.target)
    calibration = None if calibrated is None else calibrated.calibration
    if calibrated is not None:
        notes.append(
            f"the probabilities are calibrated: log loss {calibrated.loss:.4g} on held-out rows, "
            f"{calibrated.loss_before:.4g} before ({_formula(calibrated.calibration)})"
        )
        scores = calibrate(scores, calibrated.calibration)
    threshold = None if signature.task != "binary" else choose_threshold(decide, scores[:, 1], held_out.target)
    if threshold is not None:
        notes.append(_threshold_note(threshold, scores, held_out.target, signature, decide))
    notes += _one_class_note(scores, threshold, signature)
    recipe = Recipe(members=members, calibration=calibration, threshold=threshold)
    if mitigation is None:
        return ChosenRecipe(recipe, notes)
    return _mitigated(ChosenRecipe(recipe, notes), mitigation, scores, held_out.target, signature, decide)


def _mitigated(
    chosen: ChosenRecipe, mitigation: Mitigation, scores: npt.NDArray[np.float64], target: npt.NDArray[Any],
    signature: Signature, decide: Decide,
) -> ChosenRecipe:  # fmt: skip
    """Return a recipe with what the pipeline file asks for against unfairness."""
    recipe = chosen.recipe
    if mitigation.reweigh:
        return ChosenRecipe(recipe.model_copy(update={"reweigh": mitigation.reweigh}), chosen.notes)
    common = DEFAULT_THRESHOLD if recipe.threshold is None else recipe.threshold
    groups = None if signature.task != "binary" else mitigation.thresholds(scores[:, 1], target, common, decide)
    if groups is None:
        return chosen
    if not groups.groups:
        return ChosenRecipe(recipe, [*chosen.notes, NO_GROUP])
    before = predicted_codes(scores.astype(np.float32), common)
    changed = mitigation.measured(before, codes_with(scores, groups, common, mitigation.rows), target)
    notes = [*chosen.notes, told_thresholds(groups, common, signature.classes[1]), told(changed)]
    return ChosenRecipe(recipe.model_copy(update={"groups": groups}), notes, changed)


def _named(members: list[Member]) -> str:
    return ", ".join(f"{_title(member.trial)} {member.weight:.0%}" for member in members)


def _title(trial: Trial) -> str:
    return f"{trial.number}: {trial.algorithm.replace('_', ' ')}"


def _formula(calibration: Calibration) -> str:
    if calibration.intercept:
        return f"slope {calibration.slope:.3g}, intercept {calibration.intercept:.3g}"
    return f"temperature {1 / calibration.slope:.3g}"


def _threshold_note(
    threshold: float, scores: npt.NDArray[np.float64], target: npt.NDArray[Any], signature: Signature, decide: Decide
) -> str:
    """Return the sentence about the threshold, with what it changes among the held-out rows."""
    positive, rows = signature.classes[1], len(target)
    now, usual = (int(predicted_codes(scores.astype(np.float32), at).sum()) for at in (threshold, DEFAULT_THRESHOLD))
    why = "lowest cost" if decide.costs is not None else f"best {str(decide.metric).replace('_', ' ')}"
    return (
        f"{positive!r} is predicted from a probability of {threshold:g}, which has the {why} on {rows:,} held-out "
        f"rows: {now:,} are predicted as {positive!r}, {usual:,} from {DEFAULT_THRESHOLD:g}"
    )


def _one_class_note(scores: npt.NDArray[np.float64], threshold: float | None, signature: Signature) -> list[str]:
    """Return the warning about a model whose every prediction is the same class, if it is one."""
    codes = np.unique(predicted_codes(scores.astype(np.float32), DEFAULT_THRESHOLD if threshold is None else threshold))
    if len(codes) != 1:
        return []
    remedy = (
        "; training.decide can choose another threshold" if signature.task == "binary" and threshold is None else ""
    )
    return [f"every held-out row is predicted as {signature.classes[codes[0]]!r}{remedy}"]
