"""A recipe fitted on rows. The model that is judged and the one that learns from all rows are made by the same code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelcycle.messages import Recipe
from modelcycle.model import export, pipeline
from modelcycle.model.plan import FeaturePlan
from modelcycle.model.signature import Signature


@dataclass(frozen=True)
class FittedRecipe:
    """The fitted models of a recipe's members, in their order."""

    recipe: Recipe
    models: list[Any]

    def scores(self, rows: Any, n_classes: int) -> npt.NDArray[np.float32]:
        """Score rows by scikit-learn: float32 (n, n_classes) probabilities, or (n, 1) values; see `pipeline.scores`."""
        return pipeline.scores(self.models[0], rows, n_classes)

    def to_onnx(self, signature: Signature) -> bytes:
        """Return the model as one ONNX graph; see `export.to_onnx`."""
        return export.to_onnx(self.models[0], signature)

    def to_skops(self) -> bytes:
        """Return the models as a skops file; see `export.to_skops`."""
        return export.to_skops(self.models[0])


def fit_recipe(
    recipe: Recipe, plan: FeaturePlan, signature: Signature, rows: Any, target: npt.NDArray[Any] | None
) -> FittedRecipe:
    """Fit every member of a recipe; equal rows give an equal model.

    Parameters
    ----------
    rows : DataFrame (n, inputs) of `pipeline.frame`
    target : class codes or numbers (n,)
    """
    models = []
    for member in recipe.members:
        trial = member.trial
        model = pipeline.build(plan, signature.task, trial.algorithm, trial.parameters, trial.seed)
        models.append(pipeline.fit(model, rows, target))
    return FittedRecipe(recipe, models)
