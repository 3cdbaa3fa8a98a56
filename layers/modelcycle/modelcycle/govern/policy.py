"""The default policy: the rules that every candidate must meet before it becomes a version."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from modelcycle.messages import GovernRequest, Rule
from modelcycle.model.plan import FeaturePlan
from modelcycle.spec import Pipeline

MAX_UNREADABLE_SHARE = 0.05  # of rows; above it, the model was trained on other data than people believe


class Facts(NamedTuple):
    """What the rules are checked against; `code` is the version of the code."""

    request: GovernRequest
    pipeline: Pipeline
    plan: FeaturePlan
    code: str

    @property
    def used(self) -> set[str]:
        """The columns that the model uses."""
        return {planned.column for planned in self.plan.columns if planned.treatment != "left_out"}

    @property
    def learned_rows(self) -> int:
        """The rows that the model that goes live has learned from."""
        refit = self.request.refit
        return refit.rows if refit.done else sum(self.request.preprocess.split[:2])


def check(facts: Facts) -> list[Rule]:
    """Return every rule and whether it holds, in a fixed order."""
    rules = []
    for name, rule in POLICY.items():
        holds, detail = rule(facts)
        rules.append(Rule(name=name, holds=holds, detail=detail))
    return rules


def _gates(facts: Facts) -> tuple[bool, str]:
    verdict = facts.request.validate_
    return verdict.verdict == "passed", "; ".join(verdict.reasons)


def _parity(facts: Facts) -> tuple[bool, str]:
    """The parity gate ended the run if the scores differ; a row exactly on the threshold may change its class."""
    scored = facts.request.score_candidate
    detail = f"{scored.rows} rows, largest difference {scored.max_difference:.1e}"
    return scored.rows > 0, detail + (f", {scored.flips} on the threshold" if scored.flips else "")


def _lineage(facts: Facts) -> tuple[bool, str]:
    collected = facts.request.collect
    return bool(collected.objects and facts.code), f"{collected.objects} objects, code {facts.code[:12]}"


def _sensitive(facts: Facts) -> tuple[bool, str]:
    sensitive = sorted(facts.used & set(facts.pipeline.sensitive_columns))
    allowed = facts.pipeline.features.use_sensitive
    return not sensitive or allowed, f"in the model: {', '.join(sensitive)}" if sensitive else "none in the model"


def _leak(facts: Facts) -> tuple[bool, str]:
    """Check that no column leaks the target, unless the pipeline file lists or allows it under `features`.

    Every plan of `engineer_features` passes, because it leaves such columns out. The rule still checks the stored plan:
    the model is made from it.
    """
    certain = [planned.column for planned in facts.plan.columns if planned.loud and not planned.suspected]
    leaking, features = sorted(facts.used & set(certain)), facts.pipeline.features
    listed = {*features.numeric, *features.categorical, *features.allow}
    return set(leaking) <= listed, f"gives the target away: {', '.join(leaking)}" if leaking else ""


def _readable(facts: Facts) -> tuple[bool, str]:
    collected, preprocessed = facts.request.collect, facts.request.preprocess
    # a row without a target is of no use for training, but no sign of bad data
    lines = collected.quarantined / max(1, collected.rows + collected.quarantined)
    cells = preprocessed.cells / max(1, preprocessed.kept * collected.columns)
    return max(lines, cells) <= MAX_UNREADABLE_SHARE, (
        f"{collected.quarantined:,} broken lines ({lines:.1%}) and {preprocessed.cells:,} unreadable values"
        f" ({cells:.1%}), at most {MAX_UNREADABLE_SHARE:.0%} of each is allowed; the quarantine files list them"
    )


POLICY: dict[str, Callable[[Facts], tuple[bool, str]]] = {
    "all gates passed on test rows": _gates,
    "ONNX and scikit-learn agree": _parity,
    "data and code are on record": _lineage,
    "no sensitive column in the model": _sensitive,
    "no column gives the target away": _leak,
    "nearly all data could be read": _readable,
}
