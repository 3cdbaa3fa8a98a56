"""A recipe fitted on rows. The model that is judged and the one that learns from all rows are made by the same code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.faults import NotExportable, Tampered
from modelcycle.messages import Recipe
from modelcycle.model import export, pipeline
from modelcycle.model.calibration import calibrate
from modelcycle.model.columns import Values
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.recipe_graph import combine
from modelcycle.model.reweighing import reweigh
from modelcycle.model.signature import Signature
from modelcycle.store import MAX_OBJECT_BYTES


@dataclass(frozen=True)
class FittedRecipe:
    """The fitted models of a recipe's members, in their order."""

    recipe: Recipe
    models: list[Any]

    def scores(self, rows: Any, n_classes: int) -> npt.NDArray[np.float32]:
        """Score rows by scikit-learn: the weighted mean of the members' scores, calibrated.

        Parameters
        ----------
        rows : DataFrame (n, inputs) of `pipeline.frame`
        n_classes : 0 for regression

        Returns
        -------
        float32 (n, n_classes) : probabilities, 0 for a class without training rows; or values (n, 1)
        """
        members = [pipeline.scores(model, rows, n_classes) for model in self.models]
        scores = weighted_mean(members, self.weights)
        if self.recipe.calibration is not None:
            scores = calibrate(scores, self.recipe.calibration, self._present_classes(n_classes))
        return scores.astype(np.float32)

    def finite_scores(self, rows: Any, n_classes: int) -> npt.NDArray[np.float32]:
        """Return `scores`; raise ArithmeticError if one is not finite."""
        scores = self.scores(rows, n_classes)
        if not np.isfinite(scores).all():
            raise ArithmeticError("a score is not finite")
        return scores

    def to_files(self, signature: Signature) -> tuple[bytes, bytes]:
        """Return `to_onnx` and `to_skops`.

        Raises
        ------
        NotExportable : there is no ONNX graph, or one of the two is larger than an object may be
        """
        files = self.to_onnx(signature), self.to_skops()
        largest = max(map(len, files))
        if largest > MAX_OBJECT_BYTES:
            raise NotExportable(
                f"the model has {largest / 2**20:,.0f} MiB; at most {MAX_OBJECT_BYTES / 2**20:,.0f} can be stored",
                "train", "remove random_forest from training.algorithms in the pipeline file",
            )  # fmt: skip
        return files

    def to_onnx(self, signature: Signature) -> bytes:
        """Return the model as one ONNX graph; equal models give equal bytes; see `export.to_onnx`."""
        graphs = [export.to_onnx(model, signature) for model in self.models]
        if len(graphs) == 1 and self.recipe.calibration is None:
            return graphs[0]
        present = self._present_classes(len(signature.classes))
        return combine(graphs, self.weights, self.recipe.calibration, present)

    def to_skops(self) -> bytes:
        """Return a skops file: a dictionary of the recipe as JSON and the models. Its bytes differ each time."""
        return export.to_skops({"recipe": self.recipe.model_dump_json(), "models": self.models})

    @staticmethod
    def from_skops(body: bytes) -> FittedRecipe:
        """Load a file of `to_skops`, after a check of all types in it.

        Raises
        ------
        Tampered : the file contains a type that no model of this package has; nothing was loaded
        """
        stored = export.from_skops(body)
        if not isinstance(stored, dict) or set(stored) != {"recipe", "models"}:
            raise Tampered("the skops file does not hold a recipe", "skops", "use the model of another version")
        return FittedRecipe(Recipe.model_validate_json(stored["recipe"]), stored["models"])

    @property
    def weights(self) -> list[float]:
        """The members' shares of the mean; their sum is 1."""
        return shares([member.weight for member in self.recipe.members])

    def _present_classes(self, n_classes: int) -> npt.NDArray[np.bool_]:
        present = np.zeros(n_classes, dtype=bool)
        if n_classes:
            present[self.models[0].classes_.astype(int)] = True
        return present


def fit_recipe(
    recipe: Recipe, plan: FeaturePlan, signature: Signature, rows: Any, target: npt.NDArray[Any] | None,
    columns: Mapping[str, Values] | None = None,
) -> FittedRecipe:  # fmt: skip
    """Fit every member of a recipe; equal rows give an equal model.

    Parameters
    ----------
    rows : DataFrame (n, inputs) of `pipeline.frame`
    target : class codes or numbers (n,)
    columns : the same rows, typed; a recipe that reweighs them reads their sensitive columns
    """
    weights = reweigh(columns or {}, recipe.reweigh, target)
    models = []
    for member in recipe.members:
        trial = member.trial
        model = pipeline.build(plan, signature.task, trial.algorithm, trial.parameters, trial.seed)
        models.append(pipeline.fit(model, rows, target, weights))
    return FittedRecipe(recipe, models)


def decided(signature: Signature, recipe: Recipe) -> Signature:
    """Return the signature of a model of this recipe: with its thresholds."""
    update: dict[str, Any] = {} if recipe.threshold is None else {"threshold": recipe.threshold}
    update |= {} if recipe.groups is None else {"groups": recipe.groups}
    return signature.model_copy(update=update)


def weighted_mean(scores: list[npt.NDArray[np.float32]], weights: list[float]) -> npt.NDArray[np.float64]:
    """Return the mean of scores (n, k), added up in their order, as the ONNX graph does.

    Examples
    --------
    >>> weighted_mean([np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)], [0.25, 0.75])
    array([[0.75]])
    """
    total: npt.NDArray[np.float64] = scores[0].astype(np.float64) * weights[0]
    for member, weight in zip(scores[1:], weights[1:], strict=True):
        total = total + member.astype(np.float64) * weight
    return total


def shares(weights: list[float]) -> list[float]:
    """Return weights divided by their sum.

    Examples
    --------
    >>> shares([2.0, 1.0, 1.0])
    [0.5, 0.25, 0.25]
    """
    total = sum(weights)
    return [weight / total for weight in weights]
