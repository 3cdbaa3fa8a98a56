"""Facts about the model of a run: its algorithm, its parameters, and how it decides."""

from __future__ import annotations

from modelcycle.documents.made import Made
from modelcycle.documents.outline import Missing, Part, Table, escaped


def training_facts(made: Made) -> list[Part]:
    """Return on which rows the model was fitted and judged, and what the search chose."""
    selected, refit, recipe = made.select_model, made.refit, made.select_model.recipe
    train, validation, test = made.preprocess.split
    judged = (
        f"the live model has learned from all {refit.rows:,} rows, test rows included; its twin, with the same recipe"
        f" but without the {test:,} test rows, was judged"
        if refit.done
        else f"the live model has learned from {train + validation:,} rows, and {test:,} others judged it"
    )
    chosen = f"the best of {selected.trials} trials, by held-out loss ({selected.loss:.4g})"
    calibrated, threshold = recipe.calibration, recipe.threshold
    return [
        judged,
        *([escaped(refit.reason)] if refit.reason else []),
        chosen if len(recipe.members) == 1 else f"a weighted mean of {len(recipe.members)} models among {chosen}",
        *([f"calibrated: slope {calibrated.slope:.4g}, intercept {calibrated.intercept:.4g}"] if calibrated else []),
        *([f"predicts the positive class from probability {threshold:.4g}"] if threshold is not None else []),
        *(escaped(note) for note in selected.notes),
        f"served as ONNX opset {selected.opset}",
        *_parity(made),
    ]


def _parity(made: Made) -> list[Part]:
    parity = made.report.get("parity")
    if not parity:
        return [Missing("how far ONNX and scikit-learn agree", "run again: the report of this run does not say it")]
    return [f"ONNX and scikit-learn differ by at most {parity['max_difference']:.1e} on {parity['rows']:,} rows"]


def parameter_table(made: Made) -> Table:
    """Return algorithm, seed and parameters of each member of the recipe."""
    rows = []
    for member in made.select_model.recipe.members:
        trial = member.trial
        parameters = ", ".join(f"{name} = {value}" for name, value in sorted(trial.parameters.items()))
        rows.append([f"{trial.number}", trial.algorithm.replace("_", " "), f"{member.weight:.3g}", f"{trial.seed}",
                     escaped(parameters)])  # fmt: skip
    return Table(["trial", "algorithm", "weight", "seed", "parameters"], rows)


def package_table(made: Made) -> Table:
    """Return the versions of the packages that trained and exported the model."""
    rows = [[name, version] for name, version in sorted(made.select_model.packages.items())]
    return Table(["package", "version"], rows)


def used_column_table(made: Made) -> Table:
    """Return how each column enters the model, and why."""
    return Table(
        ["column", "enters as", "why"],
        [
            [escaped(planned.column), planned.treatment.replace("_", " "), escaped(planned.why)]
            for planned in made.plan.columns
        ],
    )
