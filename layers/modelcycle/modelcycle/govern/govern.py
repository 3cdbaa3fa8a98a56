from __future__ import annotations

from modelcycle.documents import Made, ProfileFacts, card, markdown
from modelcycle.govern.lineage import lineage, runtime
from modelcycle.govern.policy import Facts, check
from modelcycle.messages import CaseRecipe, Governed, GovernRequest
from modelcycle.model.plan import FeaturePlan
from modelcycle.registry import Entry, Registry, keys
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store, put_json, read_json

STEP = "govern"


def govern(request: GovernRequest, *, artifacts: Store, registry: Registry, code: str) -> Governed:
    """Check a candidate against the policy; write its card, its lineage and an audit entry, passed or refused.

    Parameters
    ----------
    artifacts : the bucket that the run's artifacts are in, and the card and the lineage go to
    code : version of the code
    """
    run = request.run
    pipeline = pipeline_of(artifacts, run)

    def work() -> Governed:
        plan = FeaturePlan.model_validate(read_json(artifacts, request.engineer_features.plan))
        facts = Facts(request, pipeline, plan, code)
        rules = check(facts)
        broken = [f"{rule.name}: {rule.detail}" if rule.detail else rule.name for rule in rules if not rule.holds]
        decision = "refused" if broken else "passed"
        cases = _case_recipe(request, artifacts)
        made = _made(facts, cases, artifacts)
        record = lineage(facts, made.manifest, cases)
        return Governed.model_validate(
            {
                "decision": decision,
                "rules": rules,
                "broken": broken,
                "card": artifacts.put(run.key(STEP, "card.md"), markdown(card(made, rules, decision)).encode()),
                "lineage": put_json(artifacts, run.key(STEP, "lineage.json"), record),
            }
        )

    result = reuse_or_run(
        work, Governed, step=STEP, request=request, parameters=pipeline.model_dump(), code=code,
        results=registry.results, artifacts=artifacts,
    )  # fmt: skip
    registry.audit.add(
        run.model,
        keys.decision_in_run(run.run_id, STEP),
        Entry(
            subject=f"run {run.run_id}", decision=result.decision, by="policy default", why="; ".join(result.broken),
            evidence={"card": result.card.model_dump(), "validation": request.validate_.report.model_dump()},
        ),
    )  # fmt: skip
    return result


def _made(facts: Facts, cases: CaseRecipe | None, artifacts: Store) -> Made:
    """Return what the run has recorded about the candidate, as documents read it."""
    request = facts.request
    return Made(
        run=request.run, pipeline=facts.pipeline, code=facts.code, runtime=runtime(), collect=request.collect,
        preprocess=request.preprocess, engineer_features=request.engineer_features,
        select_model=request.select_model, find_unseen=request.find_unseen, validate=request.validate_,
        refit=request.refit, plan=facts.plan,
        profile=ProfileFacts.model_validate(read_json(artifacts, request.preprocess.profile)),
        manifest=read_json(artifacts, request.collect.manifest),
        report=read_json(artifacts, request.validate_.report), cases=cases,
    )  # fmt: skip


def _case_recipe(request: GovernRequest, artifacts: Store) -> CaseRecipe | None:
    recipe = request.preprocess.case_recipe
    return None if recipe is None else CaseRecipe.model_validate(read_json(artifacts, recipe))
