from __future__ import annotations

from modelcycle.documents import Made, ProfileFacts, card, markdown
from modelcycle.govern.facts import Facts
from modelcycle.govern.figures import figures, has_evidence
from modelcycle.govern.lineage import lineage, runtime
from modelcycle.govern.register_right import author_contradicted, register_right
from modelcycle.messages import AppliedPolicy, CaseRecipe, Governed, GovernRequest, Run
from modelcycle.model.plan import FeaturePlan
from modelcycle.policy import Policy, Shelf, broken, check, check_evidence
from modelcycle.registry import Entry, Registry, keys
from modelcycle.steps import pipeline_of, reuse_or_run
from modelcycle.store import Store, put_json, read_json

STEP = "govern"


def govern(request: GovernRequest, *, artifacts: Store, registry: Registry, code: str, policies: Shelf) -> Governed:
    """Check a candidate against its policy; write its figures, card, lineage and an audit entry, passed or refused.

    Parameters
    ----------
    artifacts : the bucket that the run's artifacts are in, and those of this step go to
    code : version of the code
    policies : of which the one that applies to the model counts

    Raises
    ------
    BadPolicy : none applies to the model, or two do
    """
    run = request.run
    pipeline = pipeline_of(artifacts, run)
    policy = policies.policy_of(run.model)

    def work() -> Governed:
        plan = FeaturePlan.model_validate(read_json(artifacts, request.engineer_features.plan))
        facts = Facts(request, pipeline, plan, code)
        measured = figures(facts)
        rules = [
            *check(policy, measured),
            *check_evidence(policy, lambda name: has_evidence(facts, name), measured),
            *register_right(policy, run),
            *author_contradicted(policy, run),
        ]
        reasons = broken(rules)
        decision = "refused" if reasons else "passed"
        cases = _case_recipe(request, artifacts)
        made = _made(facts, cases, artifacts)
        record = lineage(facts, made.manifest, cases)
        text = markdown(card(made, rules, decision, policy.described))
        values = {name: one.value for name, one in measured.items()}
        return Governed.model_validate(
            {
                "decision": decision,
                "rules": rules,
                "broken": reasons,
                "policy": applied(policy),
                "figures": put_json(artifacts, run.key(STEP, "figures.json"), values),
                "card": artifacts.put(run.key(STEP, "card.md"), text.encode()),
                "lineage": put_json(artifacts, run.key(STEP, "lineage.json"), record),
            }
        )

    result = reuse_or_run(
        work, Governed, step=STEP, request=request, code=code, results=registry.results, artifacts=artifacts,
        parameters=[pipeline.model_dump(), policy.sha, run.author, *_proof(run)],
    )  # fmt: skip
    evidence = {
        "card": result.card.model_dump(), "validation": request.validate_.report.model_dump(),
        "policy": applied(policy).model_dump(),
    } | ({"figures": result.figures.model_dump()} if result.figures else {})  # fmt: skip
    registry.audit.add(
        run.model,
        keys.decision_in_run(run.run_id, STEP),
        Entry(
            subject=f"run {run.run_id}", decision=result.decision, by=policy.title, why="; ".join(result.broken),
            evidence=evidence,
        ),
    )  # fmt: skip
    return result


def _proof(run: Run) -> list[object]:
    """Return what is known of the author besides the ARN; nothing if nothing is, as in earlier releases."""
    return [run.author_proved, run.author_stated] if run.author_proved else []


def applied(policy: Policy) -> AppliedPolicy:
    """Return how messages and records name a policy."""
    return AppliedPolicy(name=policy.name, version=policy.version, sha=policy.sha, tier=policy.risk_tier)


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
