from __future__ import annotations

from typing import Any

from modelcycle.govern.card import card
from modelcycle.govern.policy import Facts, check
from modelcycle.messages import Governed, GovernRequest
from modelcycle.model.plan import FeaturePlan
from modelcycle.registry import Entry, Registry
from modelcycle.registry.events import now
from modelcycle.steps import pipeline_of, taken_over
from modelcycle.store import Store, put_json, read_json


def govern(request: GovernRequest, *, artifacts: Store, registry: Registry, code: str) -> Governed:
    """Hold the candidate against the policy; write its card, its lineage and an audit entry, whatever the decision."""
    run = request.run
    pipeline = pipeline_of(artifacts, run)

    def work() -> Governed:
        plan = FeaturePlan.model_validate(read_json(artifacts, request.engineer_features.plan))
        facts = Facts(request, pipeline, plan, code)
        rules = check(facts)
        broken = [f"{rule.name}: {rule.detail}" if rule.detail else rule.name for rule in rules if not rule.holds]
        decision = "passed" if all(rule.holds for rule in rules) else "refused"
        lineage = put_json(
            artifacts,
            run.key("govern", "lineage.json"),
            _lineage(facts, read_json(artifacts, request.collect.manifest)),
        )
        text = card(facts, rules, decision)
        written = artifacts.put(run.key("govern", "card.md"), text.encode())
        return Governed.model_validate(
            {"decision": decision, "rules": rules, "broken": broken, "card": written, "lineage": lineage}
        )

    result = taken_over(registry.runs, artifacts, code, "govern", request, pipeline.model_dump(), Governed, work)
    registry.audit.add(
        run.model,
        f"RUN#{run.run_id}#govern",
        Entry(
            at=now(), subject=f"run {run.run_id}", decision=result.decision, by="policy default",
            why="; ".join(result.broken),
            evidence={"card": result.card.model_dump(), "validation": request.validate_.report.model_dump()},
        ),
    )  # fmt: skip
    return result


def _lineage(facts: Facts, manifest: Any) -> dict[str, Any]:
    request = facts.request
    return {
        "run": request.run.model_dump(mode="json"),
        "code": facts.code,
        "data": {"manifest": request.collect.manifest.model_dump(), "objects": manifest},
        "rows": {
            "collected": request.collect.rows, "kept": request.preprocess.kept, "split": list(request.preprocess.split),
            "quarantined": request.collect.quarantined + request.preprocess.quarantined,
            "duplicates": request.preprocess.duplicates,
        },
        "features": request.engineer_features.plan.model_dump(),
        "model": request.select_model.model_dump(mode="json", exclude={"schema_number", "cached"}),
        "validation": request.validate_.report.model_dump(),
    }  # fmt: skip
