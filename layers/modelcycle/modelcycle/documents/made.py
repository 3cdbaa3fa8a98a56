"""What a run has recorded about its candidate, as the documents read it."""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import BaseModel

from modelcycle.messages import (
    CaseRecipe,
    CheckedRefit,
    Collected,
    EngineeredFeatures,
    FoundUnseen,
    Preprocessed,
    Run,
    SelectedModel,
    Validated,
)
from modelcycle.model.plan import FeaturePlan
from modelcycle.spec import Pipeline


class ColumnFacts(BaseModel):
    """What a profile says about a column; `model.profile` has the rest, and needs numpy."""

    name: str
    type: str
    rows: int
    missing: int
    distinct: int
    levels: list[str] = []
    counts: list[int] = []
    mean: float | None = None
    deviation: float | None = None

    @property
    def missing_share(self) -> float:
        """Share of the rows without a value, 0 to 1."""
        return self.missing / self.rows if self.rows else 0.0


class ProfileFacts(BaseModel):
    """The profile of the training rows, as `preprocess` writes it."""

    columns: list[ColumnFacts]
    target: ColumnFacts


class Made(NamedTuple):
    """A candidate and what made it.

    Parameters
    ----------
    manifest : of the snapshot: each file with its object version and SHA-256
    report : of `validate`
    cases : how a row's case is made; None if the run has no cases
    runtime : Python, machine and system of the functions
    """

    run: Run
    pipeline: Pipeline
    code: str
    runtime: dict[str, str]
    collect: Collected
    preprocess: Preprocessed
    engineer_features: EngineeredFeatures
    select_model: SelectedModel
    find_unseen: FoundUnseen
    validate: Validated
    refit: CheckedRefit
    plan: FeaturePlan
    profile: ProfileFacts
    manifest: dict[str, Any]
    report: dict[str, Any]
    cases: CaseRecipe | None

    @property
    def learned_rows(self) -> int:
        """The rows that the model that goes live has learned from."""
        return self.refit.rows if self.refit.done else sum(self.preprocess.split[:2])

    @classmethod
    def from_lineage(
        cls,
        lineage: dict[str, Any],
        *,
        pipeline: Pipeline,
        plan: FeaturePlan,
        profile: ProfileFacts,
        report: dict[str, Any],
    ) -> Made:
        """Return what the lineage of a version tells.

        Raises
        ------
        KeyError, ValidationError : it was written by an older release, which recorded less
        """
        steps = lineage["steps"]
        return cls(
            run=Run.model_validate(lineage["run"]), pipeline=pipeline, code=lineage["code"],
            runtime=lineage["runtime"], collect=Collected.model_validate(steps["collect"]),
            preprocess=Preprocessed.model_validate(steps["preprocess"]),
            engineer_features=EngineeredFeatures.model_validate(steps["engineer_features"]),
            select_model=SelectedModel.model_validate(steps["select_model"]),
            find_unseen=FoundUnseen.model_validate(steps["find_unseen"]),
            validate=Validated.model_validate(steps["validate"]), refit=CheckedRefit.model_validate(steps["refit"]),
            plan=plan, profile=profile, manifest=lineage["data"]["objects"], report=report,
            cases=CaseRecipe.model_validate(lineage["cases"]) if lineage["cases"] else None,
        )  # fmt: skip
